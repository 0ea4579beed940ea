"""The draft's way into its folder: whole or not at all, and never over a policy that is there.

Belongs here: the file. Must stay out: its content.
"""

import os
import tempfile
from pathlib import Path

from secure_ml.protection.draft.errors import DraftError, PolicyExists
from secure_ml.protection.draft.steward import Draft

_FILE = "defs.yaml"


def write_draft(draft: Draft, folder: Path) -> Path:
    """Writes `defs.yaml` and returns its path.

    Args:
        draft: the draft.
        folder: the project's folder; made if it is not there.

    Raises:
        PolicyExists: a policy is there already.
        DraftError: the folder cannot be written.
    """
    target = folder / _FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".drafted-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(draft.text)
                file.flush()
                os.fsync(file.fileno())
            _publish(Path(name), target)
        finally:
            os.unlink(name)
    except OSError as error:
        raise DraftError(
            f"{folder}: the draft cannot be written ({type(error).__name__}); give a folder that you may write"
        ) from None
    return target


def _publish(written: Path, target: Path) -> None:
    """A link, not a rename: it fails where a policy is, even one that appeared a moment ago."""
    try:
        os.link(written, target)
    except FileExistsError:
        raise PolicyExists(
            f"{target}: there is a policy already; edit it, or move it away before drafting a new one"
        ) from None
