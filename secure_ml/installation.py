"""One installation put together: keys, state, log, kernel, projects. Composition only.

Belongs here: which object gets which. Must stay out: Dagster, and any rule.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from secure_ml.access.actors import Actors
from secure_ml.access.directory import Appointed, Directory, SoleUser
from secure_ml.audit.log import AuditLog
from secure_ml.keys.context import INSTALLATION, secret_id
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.derivation import derive
from secure_ml.keys.errors import KeyNotFound
from secure_ml.keys.opening import open_key_service
from secure_ml.keys.service import KeyService
from secure_ml.keys.signing import SigningKey, VerificationKey
from secure_ml.keys.store import KeyStore
from secure_ml.policy.load import PolicyError
from secure_ml.policy.projects import Project, find_projects
from secure_ml.posture import require_kernel
from secure_ml.privacy.charging import register_budget
from secure_ml.privacy.ledger import BudgetLedger
from secure_ml.protection.mask.revealing import register_revealing
from secure_ml.release.package_digest import package_digest
from secure_ml.settings import Settings, read_settings
from secure_ml.state.database import State
from secure_ml.vault.audit_reading import register_audit_reading
from secure_ml.vault.client import Client
from secure_ml.vault.damage_reporting import register_damage_reporting
from secure_ml.vault.describing import register_description
from secure_ml.vault.egress_reporting import register_egress_reporting
from secure_ml.vault.errors import AccessRefused, StorageError
from secure_ml.vault.exploring import register_exploring
from secure_ml.vault.grant_store import GrantStore
from secure_ml.vault.granting import register_grants
from secure_ml.vault.kernel import InProcessKernel, KernelCore
from secure_ml.vault.key_custody import register_keys
from secure_ml.vault.posture_reading import register_posture
from secure_ml.vault.promotion import register_promotion
from secure_ml.vault.promotion_store import PromotionGate, PromotionStore
from secure_ml.vault.versions import VersionStore
from secure_ml.vault.wire.client import SocketKernel
from secure_ml.vault.wire.peer import login_of

_SIGNING_KEY = "signing-key/secure_ml"
_SIGNING_KEY_NAME = "secure_ml"
_LOG_ORIGIN = "secure_ml/audit-log"
_COMMITMENTS = "audit/commitments"
_KERNEL = "service:kernel"


_SHIPPED = Path(__file__).resolve().parent / "defs"


class InstallationError(Exception):
    """The installation's parts do not belong together; the text says what to restore."""


class Installation(Client):
    """All of an installation, opened once a process: its keys, state and log, and the kernel over them.

    Only the kernel's own process opens it; in the profile `personal` that is every process.

    Args:
        settings: its places.
        projects: the projects that it serves.
        clock: gives UTC.
    """

    def __init__(
        self, settings: Settings, projects: Mapping[str, Project], *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._clock = clock or _utc_now
        require_kernel(settings)
        self.settings, self.projects = settings, projects
        if settings.kernel_socket is None:
            make_private(settings.home)
        self._services: dict[str, KeyService] = {}
        store = self._key_store()
        seed, commitment_secret = self._own_secret(store, _SIGNING_KEY), self._own_secret(store, _COMMITMENTS)
        self.signing_key = SigningKey.from_seed(seed, name=_SIGNING_KEY_NAME)
        self.state = State.open(settings.state_url)
        self.log = AuditLog(
            self.state,
            self.signing_key,
            origin=_LOG_ORIGIN,
            commitment_secret=commitment_secret,
            clock=self._clock,
        )
        self.keys = KeyCustody(store, state=self.state, log=self.log, actor=_KERNEL)
        self.versions = VersionStore(self.state, self.log, self.signing_key)
        self.ledger = BudgetLedger(self.state, self.log)
        self.core = self._core()
        register_audit_reading(self.core, self.log)
        register_damage_reporting(self.core, log=self.log, versions=self.versions)
        # Whoever destroys the secret of the commitments makes these codes and commitments say nothing either.
        register_egress_reporting(self.core, self.log, key=derive(commitment_secret, purpose="egress host"))
        register_revealing(
            self.core,
            log=self.log,
            keys=self.keys,
            versions=self.versions,
            policy_of=self.policy_of,
            commitment_key=derive(commitment_secret, purpose="masked value"),
        )
        super().__init__(settings, projects, InProcessKernel(self.core, login=login_of(os.geteuid())))

    def _core(self) -> KernelCore:
        gate = PromotionGate(
            PromotionStore(self.state, self.log, self.signing_key, self.versions.index),
            policy_of=self.policy_of,
            code_digest=package_digest,
            required=self.settings.promotion_required,
        )
        core = KernelCore(
            log=self.log,
            keys=self.keys,
            signing_key=self.signing_key,
            versions=self.versions,
            policy_of=self.policy_of,
            directory=self._directory(),
            serves=self.settings.serves,
            gate=gate,
            clock=self._clock,
        )
        register_promotion(
            core,
            log=self.log,
            versions=self.versions,
            gate=gate,
            signing_key=self.signing_key,
            attestors=[VerificationKey.parse(key) for key in self.settings.attestors],
            policy_of=self.policy_of,
            clock=self._clock,
        )
        register_budget(core, self.ledger, self.policy_of)
        register_posture(core, self.settings)
        register_description(core, log=self.log, versions=self.versions)
        register_keys(core, custody=self.keys, versions=self.versions, open_service=self._next_key_service)
        grants = GrantStore(self.state, self.log, self.signing_key, self.versions.index)
        register_grants(core, log=self.log, grants=grants, policy_of=self.policy_of, clock=self._clock)
        register_exploring(
            core,
            log=self.log,
            keys=self.keys,
            versions=self.versions,
            grants=grants,
            policy_of=self.policy_of,
            clock=self._clock,
        )
        return core

    def _directory(self) -> Directory:
        if self.settings.actors is None:
            return SoleUser(login_of(os.geteuid()))
        return Appointed(Actors.load(self.settings.actors), self.settings.run_users)

    def _key_store(self) -> KeyStore:
        settings = self.settings
        for environment in (INSTALLATION, *settings.key_services):
            if settings.serves(environment):
                self._key_service(environment)
        if settings.key_store_file is not None and not settings.key_store_file.exists():
            self._require_first_day(str(settings.key_store_file), "its key store")
        return KeyStore.connect(
            settings.key_store_url, service=self._key_service, environments=settings.key_environments
        )

    def _key_service(self, environment: str) -> KeyService:
        """What holds the root key of an environment, opened once.

        A root key is made on the first day only: data without its key is an accident to be repaired, not hidden.
        """
        uri = self.settings.key_services.get(environment, self.settings.key_service)
        if uri not in self._services:
            try:
                self._services[uri] = open_key_service(uri, environ=os.environ, create=False)
            except KeyNotFound:
                self._require_first_day(uri, "its root key")
                self._services[uri] = open_key_service(uri, environ=os.environ, create=True)
        return self._services[uri]

    def _next_key_service(self, uri: str) -> KeyService:
        """The service that keys are to be moved to. Whose administrator asks the kernel could name one of his own."""
        if self.settings.kernel_socket is not None and uri != self.settings.next_key_service:
            raise AccessRefused("the kernel moves keys only to what its own user set as SECURE_ML_NEXT_KEY_SERVICE")
        return open_key_service(uri, environ=os.environ, create=True)

    def _own_secret(self, store: KeyStore, scope: str) -> bytes:
        """A secret that the log itself needs; it is not there on the first day only."""
        if not store.holds(secret_id(scope)):
            self._require_first_day(store.place, scope)
        return store.secret(scope, create=True)

    def _require_first_day(self, place: str, what: str) -> None:
        settings = self.settings
        # The vault of another user's runs is not the kernel's to enter.
        places = [settings.state_file, settings.vault if settings.kernel_socket is None else None]
        if any(place is not None and place.exists() for place in places) or (
            settings.state_file is None and State.open(settings.state_url).is_begun()
        ):
            raise InstallationError(
                f"{self.settings.home} holds data, but {what} is not in {place}; restore the keys from their "
                "backup, or set SECURE_ML_KEYS to where they are"
            )


def open_client(environ: Mapping[str, str], *, unfinished: Callable[[PolicyError], None]) -> Client:
    """The installation that the environment describes: whole in the profile `personal`, else over its kernel's socket.

    Args:
        environ: see `read_settings`.
        unfinished: told of each drafted policy that waits for its steward.
    """
    settings = read_settings(environ)
    if settings.kernel_socket is None:
        return open_whole(environ, unfinished=unfinished)
    projects = find_projects((_SHIPPED, settings.projects), unfinished=unfinished)
    # With sudo the one who asks is the person behind it: root is nobody's actor.
    sudo_uid = environ.get("SUDO_UID", "")
    act_as = int(sudo_uid) if os.geteuid() == 0 and sudo_uid.isdecimal() else None
    return Client(settings, projects, SocketKernel(settings.kernel_socket, act_as=act_as))


def open_whole(environ: Mapping[str, str], *, unfinished: Callable[[PolicyError], None]) -> Installation:
    """The installation with its keys and state, in this process. See `open_client`."""
    settings = read_settings(environ)
    return Installation(settings, find_projects((_SHIPPED, settings.projects), unfinished=unfinished))


def _utc_now() -> datetime:
    return datetime.now(UTC)


def make_private(home: Path) -> None:
    """Makes the home, where it is not there yet, for this user only.

    Raises:
        StorageError: the disk refused.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{home}: cannot be made ({type(error).__name__}); set SECURE_ML_HOME to a folder that you may write"
        ) from None
