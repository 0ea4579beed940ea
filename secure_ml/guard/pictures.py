"""Pictures as text could ride in them: a PNG reduced to what is drawn.

Belongs here: the chunks that make a picture. Must stay out: what is drawn, which nobody can redact.

A PNG holds text (titles, authors, the program that made it) beside its pixels, and whatever is appended behind its end
(W3C, Portable Network Graphics (PNG) Specification, 3rd edition, section 11).
"""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DRAWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD"})


class PictureError(Exception):
    """Bytes that are no whole PNG; the text says what to give instead."""


def drawn_only(png: bytes) -> bytes:
    """The picture without its text, its other metadata and anything behind its end.

    Args:
        png: bytes of one PNG.

    Raises:
        PictureError: they are not, or it is cut off or damaged.
    """
    return _SIGNATURE + b"".join(chunk for kind, chunk in _chunks(png) if kind in _DRAWN)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk up to the end of the picture: its kind, and all its bytes."""
    if not png.startswith(_SIGNATURE):
        raise PictureError("a picture is a PNG; save it as one")
    position, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(png):
            raise PictureError("a PNG is cut off; make the picture again")
        (length,) = struct.unpack_from(">I", png, position)
        end = position + 12 + length
        kind, checksum = png[position + 4 : position + 8], png[end - 4 : end]
        if end > len(png) or zlib.crc32(png[position + 4 : end - 4]).to_bytes(4, "big") != checksum:
            raise PictureError("a PNG is damaged; make the picture again")
        yield kind, png[position:end]
        position = end
