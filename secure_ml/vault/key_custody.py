"""The keys behind the kernel's interface: described, rotated, rewrapped, destroyed and recovered by message.

Belongs here: the messages and their handlers. Must stay out: keys themselves, which no message here carries; and how
each of these is done (keys.custody).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from secure_ml.access.decisions import Action, Resource
from secure_ml.audit.event import Detail
from secure_ml.guard.redaction import Redactor
from secure_ml.keys.custody import Cause, KeyCustody
from secure_ml.keys.service import KeyService
from secure_ml.vault.errors import AccessRefused, NothingThere
from secure_ml.vault.messages import Message
from secure_ml.vault.versions import VersionStore

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore

STEP_SECONDS = 1.0
"""How long the kernel rewraps before it answers how far it is."""


class DescribeKeys(Message):
    """Asks what keys there are."""


class EnvironmentKeysDescribed(Message):
    """The keys of one environment; see `keys.description.EnvironmentState`. Service fields are "" where not served."""

    environment: str
    served: bool
    service: str
    service_key_id: str
    epoch: int
    root_key_id: str
    living: int
    destroyed: int
    left: int
    rotating: bool


class KeysDescribed(Message):
    """What keys there are, and why none of them is opened, if so."""

    store_id: str
    generation: int
    refusal: str
    environments: tuple[EnvironmentKeysDescribed, ...]
    older_roots: tuple[str, ...]


class RotateKeys(Message):
    """Asks to give environments new keys, or to go on with it.

    Attributes:
        environments: which; none for all that have keys, the installation among them.
        epochs: what the answer before said; empty for the first.
    """

    environments: tuple[str, ...]
    epochs: dict[str, int]


class KeysRotated(Message):
    """How far the rotation is; see `keys.custody.RotationProgress`.

    Attributes:
        not_begun: environments that were asked for, too, but an older rotation of others was to be finished first.
    """

    epochs: dict[str, int]
    not_begun: tuple[str, ...]
    total: int
    left: int
    finished: bool
    retired: tuple[str, ...]
    refused: dict[str, str]


class RewrapKeys(Message):
    """Asks to bring environments' keys under the newest root key, or under that of another key service.

    Attributes:
        environments: which; none for all that have keys.
        to: URI of the other service, or "".
    """

    environments: tuple[str, ...]
    to: str


class KeysRewrapped(Message):
    """How many environments' keys were moved, and what became of older root keys; see `keys.custody.Roots`."""

    moved: int
    retired: tuple[str, ...]
    refused: dict[str, str]


class DestroyKeys(Message):
    """Asks to destroy every key of a version, for ever.

    Attributes:
        version_id: the version.
        reason: why, for the log.
        even_if_read: also where the version is the head of its address, or not committed.
    """

    version_id: str
    reason: str
    even_if_read: bool


class KeysDestroyed(Message):
    """How many keys there were; 0 where they had been destroyed before."""

    keys: int


class RecoverKeys(Message):
    """Asks to make an older copy of the key store as new as the log, or the reverse."""

    reason: str


class KeysRecovered(Message):
    """The secrets that are lost for ever, by key id."""

    lost: tuple[str, ...]


class KeyAdministration:
    """Answers what concerns keys as such.

    Args:
        kernel: lets requests in.
        custody: the keys.
        versions: says which version is read today.
        open_service: the key service of a URI, where keys may be moved to it.
    """

    def __init__(
        self,
        kernel: "KernelCore",
        *,
        custody: KeyCustody,
        versions: VersionStore,
        open_service: Callable[[str], KeyService],
    ) -> None:
        self._admission, self._custody, self._versions = kernel.admission, custody, versions
        self._open_service = open_service

    def describe(self, _: DescribeKeys) -> KeysDescribed:
        """Counts keys and names root keys."""
        self._admission.authorise(Action.KEYS_STATUS, Resource(), refusals_only=True)
        state, refusal = self._custody.describe()
        services = {
            one.environment: self._custody.key_service(one.environment) for one in state.environments if one.served
        }
        return KeysDescribed(
            store_id=state.store_id,
            generation=state.generation,
            refusal=refusal,
            environments=tuple(
                EnvironmentKeysDescribed(**vars(one), **_named(services.get(one.environment)))
                for one in state.environments
            ),
            older_roots=state.older_roots,
        )

    def rotate(self, request: RotateKeys) -> KeysRotated:
        """Rewraps for a while."""
        cause = self._admit(
            Action.KEYS_ROTATE, {"environments": list(request.environments)}, refusals_only=bool(request.epochs)
        )
        environments = request.environments or self._custody.environments()
        progress = self._custody.rotate(environments, epochs=request.epochs or None, seconds=STEP_SECONDS, cause=cause)
        return KeysRotated(
            epochs=dict(progress.epochs),
            not_begun=tuple(sorted(set(environments) - set(progress.epochs))),
            total=progress.total,
            left=progress.left,
            finished=progress.finished,
            retired=progress.roots.retired,
            refused=dict(progress.roots.refused),
        )

    def rewrap(self, request: RewrapKeys) -> KeysRewrapped:
        """Moves environments' keys from one root key to another."""
        cause = self._admit(
            Action.KEYS_REWRAP, {"environments": list(request.environments), "to_another": bool(request.to)}
        )
        moved, roots = self._custody.rewrap(
            environments=request.environments or None,
            to=self._open_service(request.to) if request.to else None,
            cause=cause,
        )
        return KeysRewrapped(moved=moved, retired=roots.retired, refused=dict(roots.refused))

    def destroy(self, request: DestroyKeys) -> KeysDestroyed:
        """Destroys what a version's parts cannot be read without."""
        reason = _stated(request.reason)
        cause = self._admit(Action.KEYS_DESTROY, {"version_id": request.version_id}, reason=reason)
        if not request.even_if_read:
            self._require_unread(request.version_id)
        return KeysDestroyed(keys=self._custody.destroy(request.version_id, cause=cause))

    def recover(self, request: RecoverKeys) -> KeysRecovered:
        """Brings key store and log together again."""
        cause = self._admit(Action.KEYS_ROTATE, {"recover": True}, reason=_stated(request.reason))
        return KeysRecovered(lost=self._custody.recover(cause=cause))

    def _admit(
        self, action: Action, details: Mapping[str, Detail], *, reason: str = "", refusals_only: bool = False
    ) -> Cause:
        actor, _ = self._admission.authorise(action, Resource(), details=details, refusals_only=refusals_only)
        return Cause(actor.name, "", reason)

    def _require_unread(self, version_id: str) -> None:
        try:
            manifest, _ = self._versions.manifest(version_id)
        except NothingThere:
            raise AccessRefused(
                f"version {version_id} was not committed: a run may be writing it; if none is, say --force"
            ) from None
        head, _ = self._versions.head(manifest.address)
        if head.version_id == version_id:
            raise AccessRefused(
                f"version {version_id} is what is read of {manifest.address}: materialise that anew, or say --force"
            )


def register_keys(
    kernel: "KernelCore",
    *,
    custody: KeyCustody,
    versions: VersionStore,
    open_service: Callable[[str], KeyService],
) -> None:
    """Lets the kernel answer what concerns keys as such, to whom its roles permit it."""
    answers = KeyAdministration(kernel, custody=custody, versions=versions, open_service=open_service)
    kernel.register(DescribeKeys, answers.describe)
    kernel.register(RotateKeys, answers.rotate)
    kernel.register(RewrapKeys, answers.rewrap)
    kernel.register(DestroyKeys, answers.destroy)
    kernel.register(RecoverKeys, answers.recover)


def _named(service: KeyService | None) -> dict[str, str]:
    if service is None:
        return {"service": "", "service_key_id": ""}
    return {"service": type(service).__name__, "service_key_id": service.key_id}


def _stated(reason: str) -> str:
    """Whoever writes a reason may name the person it is about."""
    if not reason.strip():
        raise AccessRefused("say why, for the audit log: --reason")
    return Redactor().redact(reason.strip())
