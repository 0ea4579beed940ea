"""What a data key is for, as one canonical text.

Belongs here: the text that binds a wrapped key to its place. Must stay out: keys.
"""

import re
from dataclasses import dataclass

from secure_ml.keys.errors import KeyServiceError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_FORMAT = "v1"


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
