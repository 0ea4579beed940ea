"""Where an installation's data, keys and state live, and under which profile it runs.

Belongs here: places and the profile, read once from the environment. Must stay out: secrets themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType


class SettingsError(Exception):
    """The environment describes no usable installation; the text says what to set."""


class Profile(StrEnum):
    """What the installation promises; the threat model lists it."""

    PERSONAL = "personal"


NOT_PROTECTED: Mapping[Profile, tuple[str, ...]] = MappingProxyType(
    {
        Profile.PERSONAL: (
            "anything against code that runs as the same operating-system user: it can read the key files",
            "a root user of the machine",
            "the source files themselves, which lie where they were delivered",
            "an audit log that this user rewrites whole, unless someone else holds an earlier checkpoint",
        )
    }
)
"""What each profile does not promise; said wherever an installation speaks of itself."""


@dataclass(frozen=True)
class Settings:
    """The places of one installation.

    Attributes:
        home: everything it writes, but for its keys.
        keys: root key, signing key and key store; never inside `home`, since a copied home must open nothing.
        profile: what is promised.
        state_url: database of log, heads, verdicts and budget.
    """

    home: Path
    keys: Path
    profile: Profile
    state_url: str

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
        """Policies that `secure-ml init` drafted."""
        return self.home / "projects"

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
        _, sqlite, file = self.state_url.partition("sqlite:///")
        return Path(file) if sqlite else None

    @property
    def key_store(self) -> Path:
        """File of the wrapped keys."""
        return self.keys / "keys.db"

    @property
    def key_store_url(self) -> str:
        """Database of the wrapped keys."""
        return f"sqlite:///{self.key_store}"


def project_root() -> Path:
    """The checkout that the package runs from, or else the working directory."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that the environment asks for.

    Args:
        environ: `SECURE_ML_HOME`, `SECURE_ML_KEYS`, `SECURE_ML_PROFILE` and `SECURE_ML_STATE_URL`, all optional.

    Raises:
        SettingsError: the profile is unknown, or the keys would lie inside the home.
    """
    root = project_root()
    home = Path(environ.get("SECURE_ML_HOME") or root / ".secure_ml").expanduser().resolve()
    keys = Path(environ.get("SECURE_ML_KEYS") or root / ".secure_ml_keys").expanduser().resolve()
    if keys == home or home in keys.parents or keys in home.parents:
        raise SettingsError("SECURE_ML_KEYS and SECURE_ML_HOME must not lie inside each other: a copy would hold both")
    name = environ.get("SECURE_ML_PROFILE") or Profile.PERSONAL
    if name not in set(Profile):
        raise SettingsError(f"SECURE_ML_PROFILE must be one of {', '.join(Profile)}")
    return Settings(home, keys, Profile(name), environ.get("SECURE_ML_STATE_URL") or f"sqlite:///{home}/state/state.db")
