"""Opening an installation that an earlier release wrote, with its keys and without any policy.

The door would compare the policy of then with today's; what lies on the disk is readable whatever became of the policy.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from secure_ml.installation import Installation
from secure_ml.settings import read_settings
from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import version_folder
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml.vault.parts import read_part
from secure_ml.vault.reading import release

VECTORS = Path(__file__).parent


@dataclass(frozen=True)
class Earlier:
    """A copy of one committed installation.

    Attributes:
        root: holds `keys`, `home` and `expected.json`.
    """

    root: Path

    @cached_property
    def installation(self) -> Installation:
        environ = {"SECURE_ML_HOME": str(self.root / "home"), "SECURE_ML_KEYS": str(self.root / "keys")}
        return Installation(read_settings(environ), {})

    @cached_property
    def expected(self) -> Any:
        return json.loads((self.root / "expected.json").read_text(encoding="utf-8"))

    def head(self, address: str) -> Manifest:
        return self.installation.versions.head(Address.parse(address))[0]

    def rows_of(self, manifest: Manifest, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of one part, opened with the keys of these columns only."""
        keys = release(self.installation.keys, manifest, columns=columns, sections=(part.section,))
        folder = version_folder(self.installation.settings.vault, manifest.address, manifest.version_id)
        file = verify_file(folder / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
        yield from read_part(file, schema=manifest.schema, columns=columns, rows=part.rows, keys=keys)

    def dataset(self, address: str) -> Dataset:
        """The head's rows, part by part."""
        manifest = self.head(address)

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            for part in manifest.parts:
                yield from self.rows_of(manifest, part, columns)

        return Dataset(manifest.schema, manifest.labels, scan, origins=(manifest.version_id,))


def copy_of(version: str, folder: Path) -> Earlier:
    """A copy in an empty folder; a checkout keeps no permissions, and keys that others may read are refused."""
    shutil.copytree(VECTORS / version, folder, dirs_exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return Earlier(folder)
