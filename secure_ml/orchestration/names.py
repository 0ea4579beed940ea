"""Names that Dagster stores and finds things by: they cannot be redacted, so one that could be a person's is refused.

Belongs here: what a name may look like, and which ones the policies declare. Must stay out: free text, which is
redacted (records).

Asset keys, partition keys, run keys and configuration are read back by programs: a redacted one would name something
else. They come from code and policies; but a client can launch a run with any partition or configuration, and code can
make names from cells.
"""

import base64
import binascii
import json
import os
import re
import zlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from secure_ml.access.actions import Environment
from secure_ml.guard.redaction import Redactor
from secure_ml.policy.projects import find_projects
from secure_ml.policy.source import StaticPartitions
from secure_ml.settings import read_settings

_SHIPPED = Path(__file__).resolve().parents[1] / "defs"
_PARTITION = re.compile(r"[A-Za-z0-9][\w|:.+-]{0,255}")
# A number up to here is a time in seconds (until the year 2106), a seed or a count; telephones lie above, mostly.
_LARGEST_NUMBER = 2**32
_MEBIBYTE = 2**20


class NameRefused(Exception):
    """A name or a configuration that would be stored in clear looks like a person's value; the text says which."""


def require_name(name: str, what: str) -> str:
    """The name, if it is one.

    Args:
        name: asset key, step, run key and the like; whole days and what a policy declares may stand in it.
        what: it is the name of, for people.

    Raises:
        NameRefused: it looks like a number, an address or a secret of somebody.
    """
    if not _is_name(name):
        _is_name.cache_clear()
        vocabulary.cache_clear()
        # A project may have been added since this process has looked.
        if not _is_name(name):
            raise NameRefused(
                f"{what} looks like a number, an address or a secret of somebody, and is stored in clear; "
                "name it by a word, a day, or what the policy declares"
            )
    return name


def require_partition(key: str, what: str) -> str:
    """The partition key, if it is a name without spaces.

    Raises:
        NameRefused: it is none.
    """
    if key and _PARTITION.fullmatch(key) is None:
        raise NameRefused(f"{what} is no partition key: letters, digits and any of _-.:+|; choose a declared one")
    return require_name(key, what)


def require_configuration(value: object, what: str) -> None:
    """Returns if no text or number in a run's configuration looks like a person's.

    Args:
        value: mappings, lists, text and numbers.
        what: where it stands, for people.

    Raises:
        NameRefused: one does; the text names its place.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            place = f"{what}.{require_name(str(key), f'a key of {what}')}"
            require_configuration(item, place)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            require_configuration(item, f"{what}.{number}")
    elif isinstance(value, str):
        require_name(value, what)
    elif isinstance(value, int | float) and not is_plain_number(value):
        raise NameRefused(f"{what} is a number as long as a telephone's, and is stored in clear; keep it in the data")


def is_plain_number(value: float) -> bool:
    """Whether a number is a count, a time, a seed or a size, rather than somebody's."""
    return abs(value) <= _LARGEST_NUMBER or value % _MEBIBYTE == 0 or value != value


def safe_position(cursor: str) -> str:
    """A sensor's cursor with what looks like a person's value redacted; times, counts and names stay.

    Args:
        cursor: a number, text, or JSON with either.
    """
    try:
        found = json.loads(cursor)
    except ValueError:
        return cursor if _is_packed(cursor) else _position(cursor)
    safe = _safe_positions(found)
    return cursor if safe == found else json.dumps(safe)


def _safe_positions(value: Any) -> Any:
    if isinstance(value, dict):
        return {_position(key): _safe_positions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe_positions(item) for item in value]
    if isinstance(value, str):
        return _position(value)
    return value if isinstance(value, bool | None) or is_plain_number(value) else "[number]"


def _position(text: str) -> str:
    return text if _is_name(text) else Redactor(keep=vocabulary(), keep_dates=True).redact(text)


def _is_packed(cursor: str) -> bool:
    """Whether it is one of Dagster's own cursors, compressed."""
    try:
        zlib.decompress(base64.b64decode(cursor, validate=True))
    except (binascii.Error, zlib.error, ValueError):
        return False
    return True


@cache
def vocabulary() -> frozenset[str]:
    """Partition keys and names of columns that the policies of this installation declare; read once."""
    folders = (_SHIPPED, read_settings(os.environ).projects)
    words: set[str] = set()
    # A policy that cannot be used declares nothing; whoever loads the projects is told of it.
    for project in find_projects(folders, unfinished=lambda _: None).values():
        words.update(project.policy.columns)
        for environment in Environment:
            partitions = project.policy.seen_in(environment).source.partitions
            if isinstance(partitions, StaticPartitions):
                words.update(partitions.keys)
    bare = Redactor(keep_dates=True)
    return frozenset(word for word in words if bare.redact(word) != word)


@lru_cache(maxsize=8192)
def _is_name(name: str) -> bool:
    return Redactor(keep=vocabulary(), keep_dates=True).redact(name) == name
