"""The security posture of one installation: what a profile requires of it, and what of the profile does not hold here.

Belongs here: rules that stop a process before it starts, and shortfalls that are told. Must stay out: what a profile
promises of any installation (settings).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from types import MappingProxyType

from secure_ml.access.actions import Environment
from secure_ml.keys.context import INSTALLATION
from secure_ml.settings import Profile, Settings

DAGSTER_URL = "SECURE_ML_DAGSTER_POSTGRES_URL"
CONFINEMENT: Mapping[str, str] = MappingProxyType({"bwrap": "bubblewrap", "setpriv": "util-linux"})
"""Programs that runs are confined with, and the packages that bring them."""

_SWAPS = Path("/proc/swaps")


class ProfileNotMet(Exception):
    """The installation is not what its profile requires; the text says what to set."""


@dataclass(frozen=True)
class Shortfall:
    """Something that does not hold on this installation, though its profile leaves it open.

    Attributes:
        name: for programs.
        words: for people: what does not hold, and what would mend it.
    """

    name: str
    words: str


def require_kernel(settings: Settings) -> None:
    """Returns if the kernel may start: in the profile `production` its state and its root keys are on servers.

    Raises:
        ProfileNotMet: they are not, or the way to the state is not protected.
    """
    if settings.profile is not Profile.PRODUCTION:
        return
    _require_server(settings.state_url, name="SECURE_ML_STATE_URL", what="the state")
    if settings.key_store_file is None:
        _require_server(settings.key_store_url, name="SECURE_ML_KEY_STORE_URL", what="the key store")
    if not settings.promotion_required:
        raise ProfileNotMet("the profile production runs only what was promoted: leave SECURE_ML_PROMOTION unset")
    in_files = [name for name, uri in _services(settings).items() if uri.partition(":")[0].lower() == "file"]
    if in_files:
        raise ProfileNotMet(
            f"the profile production keeps no root key in a file, and that of {', '.join(in_files)} is in one: set "
            "SECURE_ML_KEY_SERVICE or SECURE_ML_KEY_SERVICES to vault:, awskms: or pkcs11:"
        )


def require_dagster_storage(settings: Settings, database_url: str) -> None:
    """Returns if Dagster's records may lie in this database; asked wherever an instance is opened.

    Args:
        settings: the installation's places.
        database_url: SQLite or PostgreSQL.

    Raises:
        ProfileNotMet: the profile `production` needs PostgreSQL over a protected connection.
    """
    if settings.profile is Profile.PRODUCTION:
        _require_server(database_url, name=DAGSTER_URL, what="Dagster's records")


def require_shared_dagster(settings: Settings, *, in_files: bool) -> None:
    """Returns if several users of the operating system may share Dagster's records: its pages, its daemon, and runs.

    Args:
        settings: the installation's places.
        in_files: whether the records are in SQLite's files, which whoever writes a run's events can rewrite.

    Raises:
        ProfileNotMet: they are, and the profile has several users.
    """
    if in_files and settings.profile is not Profile.PERSONAL:
        raise ProfileNotMet(
            f"the profile {settings.profile} has several users on Dagster's records, which needs PostgreSQL: set "
            f"{DAGSTER_URL}, with a login of its own for each user, as docs/deployment.md says"
        )


def require_source(settings: Settings, database_url: str, *, name: str) -> None:
    """Returns if a table may be read from this database.

    What other databases than PostgreSQL need for a verified connection their drivers alone know; it is not judged.

    Args:
        settings: the installation's places.
        database_url: of the source.
        name: the variable that holds it.

    Raises:
        ProfileNotMet: in the profile `production` the rows would travel unprotected.
    """
    from secure_ml.state.transport import is_protected

    if settings.profile is not Profile.PRODUCTION or not database_url.startswith("postgresql"):
        return
    if not is_protected(database_url):
        raise ProfileNotMet(_unprotected(name, "the source"))


def kernel_shortfalls(settings: Settings) -> tuple[Shortfall, ...]:
    """What the kernel knows not to hold: of its root keys, and of the way to its state."""
    return tuple(_kernel_shortfalls(settings))


def local_shortfalls(settings: Settings, environ: Mapping[str, str]) -> tuple[Shortfall, ...]:
    """What a process of this machine sees not to hold.

    Args:
        settings: the installation's places.
        environ: of the process.
    """
    return tuple(_local_shortfalls(settings, environ))


def _kernel_shortfalls(settings: Settings) -> Iterator[Shortfall]:
    from secure_ml.state.transport import is_protected

    services = _services(settings)
    bare = sorted({uri for uri in services.values() if uri.lower().startswith("file:") and "protect=" not in uri})
    if bare:
        yield Shortfall(
            "unprotected-root-key",
            "a root key lies in a file that neither a passphrase nor a secret protects: move the keys to a key "
            "service, or to a file with ?protect=passphrase, by `secure-ml keys rewrap --to` (docs/key-services.md)",
        )
    environments = [name for name in services if name != INSTALLATION]
    if len(environments) > len({services[name] for name in environments}):
        yield Shortfall(
            "shared-root-key",
            f"one root key opens {', '.join(environments)}: give each a key service of its own by "
            "SECURE_ML_KEY_SERVICES, and each kernel only what it serves",
        )
    if settings.profile is not Profile.PERSONAL and not settings.promotion_required:
        yield Shortfall(
            "promotion-not-required",
            "what was never promoted runs in training and production: leave SECURE_ML_PROMOTION unset",
        )
    if not is_protected(settings.state_url):
        yield Shortfall("unprotected-state", _unprotected("SECURE_ML_STATE_URL", "the state"))
    if not is_protected(settings.key_store_url):
        yield Shortfall("unprotected-key-store", _unprotected("SECURE_ML_KEY_STORE_URL", "the key store"))


def _local_shortfalls(settings: Settings, environ: Mapping[str, str]) -> Iterator[Shortfall]:
    if settings.profile is Profile.PERSONAL:
        yield Shortfall(
            "no-network-namespace",
            "runs share this machine's network: what reaches out by other means than Python's is not stopped; the "
            "profile separated runs them without a network",
        )
        if _on_one_disk(settings):
            yield Shortfall(
                "keys-beside-data",
                "keys and data lie on one disk: whoever takes it has both; set SECURE_ML_KEYS to another",
            )
    elif missing := [package for tool, package in CONFINEMENT.items() if which(tool) is None]:
        yield Shortfall("no-confinement", f"runs cannot be started here: install {' and '.join(missing)}")
    if settings.profile is Profile.SEPARATED and not environ.get(DAGSTER_URL):
        yield Shortfall(
            "no-dagster-pages",
            f"Dagster's pages and daemon do not start here: they need PostgreSQL, named by {DAGSTER_URL}",
        )
    if _has_swap():
        yield Shortfall(
            "swap", "memory can be written to disk, keys with it: switch swap off (swapoff -a), or encrypt it"
        )


def _services(settings: Settings) -> dict[str, str]:
    """The URI of each key service that this process uses, by what is under it."""
    names = [name for name in (INSTALLATION, *Environment) if settings.serves(name)]
    return {str(name): settings.key_services.get(name, settings.key_service) for name in names}


def _require_server(database_url: str, *, name: str, what: str) -> None:
    from secure_ml.state.engine import parse_database_url
    from secure_ml.state.errors import StateError
    from secure_ml.state.transport import is_protected

    try:
        in_file = parse_database_url(database_url).get_backend_name() == "sqlite"
        protected = is_protected(database_url)
    except StateError as error:
        raise ProfileNotMet(f"{name}: {error}") from None
    if in_file:
        raise ProfileNotMet(f"the profile production needs PostgreSQL for {what}, and no file: set {name}")
    if not protected:
        raise ProfileNotMet(_unprotected(name, what))


def _unprotected(name: str, what: str) -> str:
    return (
        f"the way to {what} is not protected: end {name} with sslmode=verify-full and sslrootcert=…, or name the "
        "folder of a Unix socket as its host"
    )


def _on_one_disk(settings: Settings) -> bool:
    try:
        return settings.home.stat().st_dev == settings.keys.stat().st_dev
    except OSError:
        return False


def _has_swap() -> bool:
    try:
        return len(_SWAPS.read_text(encoding="ascii").splitlines()) > 1
    except OSError:
        return False
