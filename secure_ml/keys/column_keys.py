"""Column keys: what opens one column of one part, and no other.

Belongs here: their names and their derivation. Must stay out: who gets one.

A key-encryption key stands for all columns of a category, so a reader is never given it: a reader is given the column
keys that are derived from it. HKDF (RFC 5869) makes them independent: none says anything about another or about the key
that they come from. Destroying that key destroys them all.
"""

import re
from collections.abc import Mapping

from secure_ml.keys.context import KeyContext
from secure_ml.keys.derivation import hkdf_sha256

FOOTER = "footer"
"""Category of the key that opens the description of a part and no column; it is used as it is."""

_INFO = b"secure_ml column key v1\x00"
_KEY_BYTES = 32


def encoded_name(column: str) -> str:
    """A column's name inside key ids and parts: letters, digits, "_" and "-"; anything else as %XX of its UTF-8 bytes.

    No two columns share one. Parquet's list of column keys is split at commas, semicolons and colons, its paths are
    split at dots, and a key's id at slashes.
    """
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), column)


def column_key_id(context: KeyContext, column: str) -> str:
    """The id of a column's key: that of the key-encryption key, and the column's encoded name."""
    return f"{context.key_id}/{encoded_name(column)}"


def column_key(key_encryption_key: bytes, column: str) -> bytes:
    """The 32-byte key of a column. The info has a fixed beginning and ends with the name, so no two names share one."""
    return hkdf_sha256(key_encryption_key, salt=None, info=_INFO + column.encode(), length=_KEY_BYTES)


def keys_of_columns(keys: Mapping[KeyContext, bytes], categories: Mapping[str, str]) -> dict[str, bytes]:
    """What opens these columns and nothing else, by key id: their own keys, and those of the footers.

    Args:
        keys: key-encryption keys of one part or more, the footer's included.
        categories: the key category of each column.
    """
    opening = {context.key_id: key for context, key in keys.items() if context.category == FOOTER}
    for context, key in keys.items():
        for column, category in categories.items():
            if context.category == category != FOOTER:
                opening[column_key_id(context, column)] = column_key(key, column)
    return opening
