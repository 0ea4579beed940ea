"""Every stored file of every current version against its signed manifest.

Belongs here: that walk. Must stay out: decrypting.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.door import version_folder
from secure_ml.vault.manifest import Manifest


@dataclass(frozen=True)
class Checked:
    """What was compared."""

    versions: int
    files: int


def verify_heads(manifests: Sequence[Manifest], root: Path, *, on_file: Callable[[], None]) -> Checked:
    """Returns if every file of these versions is the one that was committed.

    Raises:
        Tampered: names the first file that is not.
    """
    heads = files = 0
    for manifest in manifests:
        heads += 1
        for part in manifest.parts:
            folder = version_folder(root, manifest.address, manifest.version_id)
            verify_file(folder / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
            files += 1
            on_file()
    return Checked(heads, files)
