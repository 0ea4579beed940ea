"""Looking for many texts at once in any bytes, also where they are compressed, encoded or kept by SQLite.

Belongs here: the search and the ways in which a text can be wrapped. Must stay out: which texts are looked for.
"""

import base64
import binascii
import io
import re
import sqlite3
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa

SHINGLE = 7
"""Shortest text that can be looked for."""

_MASK = np.uint64((1 << 8 * SHINGLE) - 1)
_BITS = 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_WRAPPED = 64 << 20
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"[0-9A-Fa-f]{16,}")
_HEX_END, _HEX_START = re.compile(rb"[0-9a-f]*\Z"), re.compile(rb"[0-9a-f]*")
_FRACTION = re.compile(rb"[0-9]\.[0-9]*\Z")
_DIGEST_LENGTH = 32
_WIDE_LITTLE, _WIDE_BIG = re.compile(rb"(?:[ -~]\0){7,}"), re.compile(rb"(?:\0[ -~]){7,}")
_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|\x28\xb5\x2f\xfd")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Texts:
    """Texts by kind, ready to be looked for without regard to case.

    Args:
        by_kind: the texts of each kind; each has at least `SHINGLE` bytes of ASCII.
    """

    def __init__(self, by_kind: Mapping[str, Iterable[str]]) -> None:
        self._by_kind = by_kind
        kind_of = {text.lower().encode(): kind for kind, texts in by_kind.items() for text in texts}
        too_short = sorted(kind for text, kind in kind_of.items() if len(text) < SHINGLE)
        assert not too_short, f"a text of the kind {too_short[0]} is too short to be looked for"
        self.count = Counter(kind_of.values())
        self._texts: dict[int, list[tuple[bytes, str]]] = {}
        for text, kind in kind_of.items():
            self._texts.setdefault(int.from_bytes(text[:SHINGLE], "little"), []).append((text, kind))
        self._shingles = np.array(sorted(self._texts), dtype=np.uint64)
        self._sieve = np.zeros(1 << _BITS, dtype=bool)
        self._sieve[_hashed(self._shingles)] = True

    def with_kind(self, kind: str, texts: Iterable[str]) -> "Texts":
        """These texts and some of another kind."""
        return Texts({**self._by_kind, kind: texts})

    def found_in(self, content: bytes) -> Counter[str]:
        """How many texts of each kind stand in these bytes as they are; never which."""
        lowered = content.lower()
        found = {(text, kind) for position in self._candidates(lowered) for text, kind in self._at(lowered, position)}
        return Counter(kind for _, kind in found)

    def _candidates(self, lowered: bytes) -> Iterator[int]:
        for offset in range(8):
            usable = (len(lowered) - offset) // 8 * 8
            if usable <= 0:
                continue
            words = np.frombuffer(lowered, dtype="<u8", count=usable // 8, offset=offset) & _MASK
            maybe = np.flatnonzero(self._sieve[_hashed(words)])
            places = np.searchsorted(self._shingles, words[maybe]).clip(max=len(self._shingles) - 1)
            hits = maybe[self._shingles[places] == words[maybe]]
            yield from (int(hit) * 8 + offset for hit in hits)
        # A word that starts in the last seven bytes is read with zeros behind it.
        for position in range(max(0, len(lowered) - 7), len(lowered)):
            if int.from_bytes(lowered[position : position + SHINGLE], "little") in self._texts:
                yield position

    def _at(self, lowered: bytes, position: int) -> Iterator[tuple[bytes, str]]:
        shingle = int.from_bytes(lowered[position : position + SHINGLE], "little")
        for text, kind in self._texts[shingle]:
            if lowered.startswith(text, position) and not _by_chance(lowered, position, text):
                yield text, kind


def search(texts: Texts, content: bytes) -> Counter[str]:
    """How many texts of each kind stand in these bytes, as they are or in any of their views."""
    found: Counter[str] = Counter()
    for view in views(content):
        found |= texts.found_in(view)
    return found


def search_folder(texts: Texts, folder: Path) -> dict[str, Counter[str]]:
    """For each file below a folder that holds a text, or whose path does, the kinds found in it."""
    found = {}
    for file in sorted(folder.rglob("*")):
        place = str(file.relative_to(folder))
        content = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
        kinds = search(texts, place.encode() + b"\n" + content)
        if kinds:
            found[place] = kinds
    return found


def views(content: bytes) -> Iterator[bytes]:
    """The bytes, and what they hold when they are read as UTF-16, SQLite, hex, base64, percent-encoded or compressed.

    Encodings are undone in the order in which programs apply them: a database's cells may be base64 of compressed
    bytes, an archive's members may hold base64.
    """
    yield content
    for wide in (_WIDE_LITTLE, _WIDE_BIG):
        yield b"\n".join(run.replace(b"\0", b"") for run in wide.findall(content))
    if b"%" in content:
        yield unquote_to_bytes(content)
    if b"SQLite format 3\0" in content:
        cells = _cells(content)
        yield cells
        yield from _decoded_and_unpacked(cells)
    else:
        yield from _decoded_and_unpacked(content)
    for inner in _unpacked(content):
        yield inner
        yield from _decoded_and_unpacked(inner)


def _decoded_and_unpacked(content: bytes) -> Iterator[bytes]:
    decoded = b"\n".join(_decoded(content))
    yield decoded
    yield from _unpacked(decoded)


def _hashed(words: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    return (words * _MULTIPLIER) >> np.uint64(64 - _BITS)


def _by_chance(lowered: bytes, position: int, text: bytes) -> bool:
    """Whether a number stands inside a digest or the fraction of a decimal, where any ten digits come sooner or later.

    A home holds thousands of both, and one number in 200,000 of ten digits is somebody's telephone.
    """
    if not text.isdigit():
        return False
    end = position + len(text)
    before, behind = lowered[max(0, position - _DIGEST_LENGTH) : position], lowered[end : end + _DIGEST_LENGTH]
    head, tail = _HEX_END.search(before), _HEX_START.match(behind)
    assert head is not None
    assert tail is not None
    around = head[0] + tail[0]
    in_digest = len(around) + len(text) >= _DIGEST_LENGTH and not around.isdigit()
    return in_digest or _FRACTION.search(before) is not None


def _decoded(content: bytes) -> Iterator[bytes]:
    """Every run of hex digits or base64 letters, decoded."""
    for run in _HEX.findall(content):
        yield binascii.unhexlify(run[: len(run) // 2 * 2])
    for run in _BASE64.findall(content):
        yield base64.b64decode(run[: len(run) // 4 * 4].translate(_URL_SAFE))


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"PK\x03\x04"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    for found in _COMPRESSED.finditer(content):
        packed = memoryview(content)[found.start() :]
        yield _zstandard(packed) if found[0] == b"\x28\xb5\x2f\xfd" else _deflated(packed)


def _deflated(packed: memoryview) -> bytes:
    """As much of zlib's or gzip's stream as can be read; most starts of one are none."""
    stream, out = zlib.decompressobj(wbits=47), b""
    with suppress(zlib.error):
        for start in range(0, len(packed), 512):
            out += stream.decompress(packed[start : start + 512], _LONGEST_WRAPPED)
            if stream.eof:
                break
    return out


def _zstandard(packed: memoryview) -> bytes:
    """What one Zstandard frame holds; empty where the bytes only look like one."""
    with suppress(OSError, IndexError), pa.CompressedInputStream(pa.BufferReader(_frame(packed)), "zstd") as stream:
        return bytes(stream.read())
    return b""


def _frame(packed: memoryview) -> memoryview:
    """The bytes up to the end of the frame (RFC 8878, section 3.1.1): Arrow's reader fails on what comes behind it."""
    descriptor = packed[4]
    alone, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    end = 5 + (1 - alone) + (0, 1, 2, 4)[descriptor & 3] + (alone, 2, 4, 8)[descriptor >> 6]
    last = False
    while not last:
        if end + 3 > len(packed):
            raise IndexError
        header = int.from_bytes(packed[end : end + 3], "little")
        last = bool(header & 1)
        end += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
    return packed[: end + 4 * checksum]


def _cells(content: bytes) -> bytes:
    """Every cell of every table of a SQLite database: long ones lie on several pages, integers are packed."""
    start = content.index(b"SQLite format 3\0")
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.deserialize(content[start:])
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            connection.text_factory = bytes
            rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]
        except sqlite3.DatabaseError:
            return b""
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
