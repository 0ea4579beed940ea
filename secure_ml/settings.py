"""Where an installation's data, keys and state live, and under which profile it runs.

Belongs here: places and the profile, read once from the environment. Must stay out: secrets themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType


class SettingsError(Exception):
    """The environment describes no usable installation; the text says what to set."""


class Profile(StrEnum):
    """What the installation promises; the threat model lists it."""

    PERSONAL = "personal"
    SEPARATED = "separated"
    PRODUCTION = "production"


NOT_PROTECTED: Mapping[Profile, tuple[str, ...]] = MappingProxyType(
    {
        Profile.PERSONAL: (
            "anything against code that runs as the same operating-system user: it can read the key files",
            "a root user of the machine",
            "the source files themselves, which lie where they were delivered",
            "an audit log that this user rewrites whole, unless someone else holds an earlier checkpoint",
        ),
        Profile.SEPARATED: (
            "a root user of the machine",
            "what a stage makes of the data that its run may read: a hostile stage can spoil its own output",
            "the vault's encrypted files against deletion by the runs' user: it is noticed, not prevented",
            "the source files themselves, which lie where they were delivered",
            "an audit log that the kernel's user rewrites whole, unless someone else holds an earlier checkpoint",
        ),
        Profile.PRODUCTION: (
            "an administrator of the cluster, or of the key service",
            "the source files themselves, which lie where they were delivered",
            "an audit log that the kernel's user rewrites whole, unless someone else holds an earlier checkpoint",
            "what a stage makes of the data that its run may read: a hostile stage can spoil its own output",
            "the vault's encrypted files against deletion by the runs' user: it is noticed, not prevented",
        ),
    }
)
"""What each profile does not promise; said wherever an installation speaks of itself."""


@dataclass(frozen=True)
class Settings:
    """The places of one installation.

    Attributes:
        home: everything it writes, but for its keys.
        keys: key store, and root key where that is a file; never inside `home`, since a copied home must open nothing.
        profile: what is promised.
        state_url: database of log, heads, verdicts and budget.
        key_service: URI of what holds the root key.
        key_store_url: database of the wrapped keys; a file below `keys` by default.
        key_services: URI for each environment that has a key service of its own, by its name.
        key_environments: environments whose keys this process opens, `installation` among them; None for all.
        promotion_required: whether runs in training and production need a promotion, or it is only recorded.
        attestors: verifier keys of the kernels of other environments whose evidence is believed.
        next_key_service: URI of the only key service that a kernel behind a socket moves keys to; "" for none.
        kernel_socket: where the kernel answers; None in the profile `personal`, whose kernel is in every process.
        actors: who has which roles; read by the kernel only.
        run_users: login that the runs of an environment execute as; read by the kernel, and by who launches runs.
        assessor_socket: where versions are judged; None in the profile `personal`.
        assessor_user: login of the process that judges.
    """

    home: Path
    keys: Path
    profile: Profile
    state_url: str
    key_service: str
    key_store_url: str
    key_services: Mapping[str, str] = field(default_factory=dict)
    key_environments: frozenset[str] | None = None
    promotion_required: bool = False
    attestors: tuple[str, ...] = ()
    next_key_service: str = ""
    kernel_socket: Path | None = None
    actors: Path | None = None
    run_users: Mapping[str, str] = field(default_factory=dict)
    assessor_socket: Path | None = None
    assessor_user: str = ""

    def serves(self, environment: str) -> bool:
        """Whether this process opens keys of an environment, or answers for it."""
        return self.key_environments is None or environment in self.key_environments

    @property
    def vault(self) -> Path:
        """Encrypted parts."""
        return self.home / "vault"

    @property
    def dagster(self) -> Path:
        """Dagster's own home: runs, events, schedules, compute logs."""
        return self.home / "dagster"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artefacts."""
        return self.home / "mlflow"

    @property
    def projects(self) -> Path:
        """Policies besides the shipped ones: drafts in the home, or, outside of `personal`, beside the actors."""
        return (self.home if self.actors is None else self.actors.parent) / "projects"

    @property
    def temporary(self) -> Path:
        """Temporary files, also those of libraries."""
        return self.home / "tmp"

    @property
    def matplotlib(self) -> Path:
        """Matplotlib's list of fonts."""
        return self.home / "matplotlib"

    @property
    def state_file(self) -> Path | None:
        """File of the state, where it is SQLite's."""
        return _file(self.state_url)

    @property
    def key_store_file(self) -> Path | None:
        """File of the wrapped keys, where it is SQLite's."""
        return _file(self.key_store_url)


def project_root() -> Path:
    """The checkout that the package runs from, or else the working directory."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that the environment asks for.

    Args:
        environ: `SECURE_ML_HOME`, `SECURE_ML_KEYS`, `SECURE_ML_PROFILE`, `SECURE_ML_STATE_URL`,
            `SECURE_ML_KEY_SERVICE`, `SECURE_ML_KEY_SERVICES` (`environment=URI`, separated by spaces),
            `SECURE_ML_KEY_ENVIRONMENTS` (separated by commas), `SECURE_ML_KEY_STORE_URL`, `SECURE_ML_PROMOTION`
            (`recorded` or `required`) and `SECURE_ML_ATTESTORS` (separated by spaces), all optional; outside of the
            profile `personal` also `SECURE_ML_NEXT_KEY_SERVICE`, `SECURE_ML_KERNEL_SOCKET`,
            `SECURE_ML_ASSESSOR_SOCKET`, `SECURE_ML_RUN_USERS` (`environment=login`, separated by commas),
            `SECURE_ML_ASSESSOR_USER` and `SECURE_ML_ACTORS`.

    Raises:
        SettingsError: the profile is unknown, the keys would lie inside the home, or what the profile needs is not set.
    """
    root = project_root()
    home = _path(environ.get("SECURE_ML_HOME") or root / ".secure_ml")
    keys = _path(environ.get("SECURE_ML_KEYS") or root / ".secure_ml_keys")
    if keys == home or home in keys.parents or keys in home.parents:
        raise SettingsError("SECURE_ML_KEYS and SECURE_ML_HOME must not lie inside each other: a copy would hold both")
    name = environ.get("SECURE_ML_PROFILE") or Profile.PERSONAL
    if name not in set(Profile):
        raise SettingsError(f"SECURE_ML_PROFILE must be one of {', '.join(Profile)}")
    state_url = environ.get("SECURE_ML_STATE_URL") or f"sqlite:///{home}/state/state.db"
    key_service = environ.get("SECURE_ML_KEY_SERVICE") or keys.as_uri()
    key_services = _key_services(environ.get("SECURE_ML_KEY_SERVICES", ""))
    served = frozenset(filter(None, (one.strip() for one in environ.get("SECURE_ML_KEY_ENVIRONMENTS", "").split(","))))
    key_store_url = environ.get("SECURE_ML_KEY_STORE_URL") or f"sqlite:///{keys}/keys.db"
    held = (key_service, key_store_url, key_services, served or None)
    promotion = (_promotion_required(environ, name), tuple(environ.get("SECURE_ML_ATTESTORS", "").split()))
    if name == Profile.PERSONAL:
        return Settings(home, keys, Profile.PERSONAL, state_url, *held, *promotion)
    return Settings(
        home,
        keys,
        Profile(name),
        environ.get("SECURE_ML_STATE_URL") or f"sqlite:///{keys}-state/state.db",
        *held,
        *promotion,
        environ.get("SECURE_ML_NEXT_KEY_SERVICE", ""),
        kernel_socket=_path(_needed(environ, "SECURE_ML_KERNEL_SOCKET", "the socket that the kernel answers on")),
        actors=_path(environ.get("SECURE_ML_ACTORS") or f"{keys}-access/actors.yaml"),
        run_users=_run_users(_needed(environ, "SECURE_ML_RUN_USERS", "who runs execute as: training=login,…")),
        assessor_socket=_path(_needed(environ, "SECURE_ML_ASSESSOR_SOCKET", "the socket that versions are judged on")),
        assessor_user=_needed(environ, "SECURE_ML_ASSESSOR_USER", "the login of the process that judges"),
    )


def _file(database_url: str) -> Path | None:
    _, sqlite, file = database_url.partition("sqlite:///")
    return Path(file) if sqlite else None


def _path(text: str | Path) -> Path:
    return Path(text).expanduser().resolve()


def _needed(environ: Mapping[str, str], name: str, meaning: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"set {name} to {meaning}: this profile needs it, see docs/separated.md")
    return value


def _promotion_required(environ: Mapping[str, str], profile: str) -> bool:
    usual = "recorded" if profile == Profile.PERSONAL else "required"
    chosen = environ.get("SECURE_ML_PROMOTION") or usual
    if chosen not in {"recorded", "required"}:
        raise SettingsError("SECURE_ML_PROMOTION is recorded or required")
    return chosen == "required"


def _key_services(text: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in text.split()]
    if any(not environment or not uri for environment, _, uri in pairs):
        raise SettingsError("SECURE_ML_KEY_SERVICES is a list such as development=file:/srv/dev-keys training=vault:…")
    return MappingProxyType({environment: uri for environment, _, uri in pairs})


def _run_users(text: str) -> Mapping[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(not environment or not login for environment, _, login in pairs):
        raise SettingsError("SECURE_ML_RUN_USERS is a list such as training=secure-ml-run,development=secure-ml-dev")
    return MappingProxyType({environment: login for environment, _, login in pairs})
