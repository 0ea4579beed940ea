"""What a key is for, as one canonical text.

Belongs here: the texts that bind a wrapped key to its place, and the environment that each of them names. Must stay
out: keys.
"""

import re
from dataclasses import dataclass

from secure_ml.keys.errors import KeyServiceError

INSTALLATION = "installation"
"""What is under no environment: the secrets of the whole installation. No environment bears this name."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_FORMAT = "v1"
_SCOPE_PREFIX = "secret/"
_PROJECT_PREFIX = "secret/project/"
_ENVIRONMENT_PREFIX = "environment-key/"


@dataclass(frozen=True, order=True)
class KeyContext:
    """The place of a key-encryption key: version, section of it, bucket of subjects, category of columns.

    Attributes:
        environment: Of the version.
        project: Of the version.
        version_id: The version; destroying is by this.
        section: A part of the version, such as `data`, `footer` or a side of a split.
        bucket: The bucket of the subject's keyed hash, from 0.
        category: Whose columns it opens, such as `financial`.

    Raises:
        KeyServiceError: A part is empty or holds other than letters, digits, dot, dash and underscore.
    """

    environment: str
    project: str
    version_id: str
    section: str
    bucket: int
    category: str

    def __post_init__(self) -> None:
        for part in (self.environment, self.project, self.version_id, self.section, self.category):
            if not _PART.fullmatch(part):
                raise KeyServiceError("each part of a key's context is letters, digits, dots, dashes and underscores")
        if self.environment == INSTALLATION:
            raise KeyServiceError(f"{INSTALLATION} is not the name of an environment")
        if isinstance(self.bucket, bool) or self.bucket < 0:
            raise KeyServiceError("a key's bucket counts from 0")

    @property
    def key_id(self) -> str:
        """The canonical text; two contexts never share one."""
        named = (self.environment, self.project, self.version_id, self.section, str(self.bucket), str(self.category))
        return "/".join((_FORMAT, *named))

    @classmethod
    def parse(cls, key_id: str) -> "KeyContext":
        """Read what `key_id` wrote.

        Raises:
            KeyServiceError: The text is not canonical.
        """
        parts = key_id.split("/")
        if len(parts) != 7 or parts[0] != _FORMAT or not re.fullmatch(r"0|[1-9][0-9]{0,9}", parts[5]):
            raise KeyServiceError(f"a key id is {_FORMAT}/environment/project/version/section/bucket/category")
        return cls(parts[1], parts[2], parts[3], parts[4], int(parts[5]), parts[6])


def secret_id(scope: str) -> str:
    """The key id of a scope's secret.

    Args:
        scope: `project/<environment>/…` for a secret of an environment; any other name is the installation's.

    Raises:
        KeyServiceError: The scope is empty, or of a project without its environment.
    """
    if not scope:
        raise KeyServiceError("a secret names its scope")
    key_id = _SCOPE_PREFIX + scope
    environment_of(key_id)
    return key_id


def environment_of(key_id: str) -> str:
    """The environment whose key wraps this key, or `INSTALLATION`.

    Raises:
        KeyServiceError: The id is neither of a version's key nor of a secret.
    """
    if key_id.startswith(_PROJECT_PREFIX):
        environment, slash, project = key_id.removeprefix(_PROJECT_PREFIX).partition("/")
        if not _PART.fullmatch(environment) or environment == INSTALLATION or not slash or not project:
            raise KeyServiceError("a project's secret names its environment and project: project/environment/project")
        return environment
    return INSTALLATION if key_id.startswith(_SCOPE_PREFIX) else KeyContext.parse(key_id).environment


def environment_key_id(environment: str, epoch: int) -> str:
    """The id of an environment's key in one of its epochs; what the root key wraps it for.

    Raises:
        KeyServiceError: The environment is no name, or the epoch is below 1.
    """
    if not _PART.fullmatch(environment) or epoch < 1:
        raise KeyServiceError("an environment's key is named by the environment and an epoch that counts from 1")
    return f"{_ENVIRONMENT_PREFIX}{environment}/{epoch}"


def parse_environment_key_id(key_id: str) -> tuple[str, int] | None:
    """Environment and epoch of what `environment_key_id` wrote; None for the id of any other key."""
    environment, _, epoch = key_id.removeprefix(_ENVIRONMENT_PREFIX).rpartition("/")
    if not key_id.startswith(_ENVIRONMENT_PREFIX) or not re.fullmatch(r"[1-9][0-9]{0,18}", epoch):
        return None
    return environment, int(epoch)
