"""Published cases of ciphers; each file under `ciphers/` names its source and licence."""

import json
from pathlib import Path
from typing import Any


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of `ciphers/<name>.json`."""
    file = Path(__file__).parent / "ciphers" / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cases"]
    return found
