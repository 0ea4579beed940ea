"""A PNG keeps what is drawn and nothing else."""

import io
import struct
import zlib

import pytest
from PIL import Image

from secure_ml.guard.pictures import PictureError, drawn_only
from secure_ml_tests.fakes.pictures import picture

NAME = b"Meera Kulkarni"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def test_a_picture_without_text_stays_as_it_is() -> None:
    assert drawn_only(picture()) == picture()


def test_texts_and_what_stands_behind_the_end_go_and_the_pixels_stay() -> None:
    told = picture(Title=NAME.decode(), Author=NAME.decode()) + NAME
    drawn = drawn_only(told)

    assert NAME in told
    assert drawn == picture()
    assert Image.open(io.BytesIO(drawn)).tobytes() == Image.open(io.BytesIO(told)).tobytes()


@pytest.mark.parametrize("kind", [b"eXIf", b"tEXt", b"prVt", b"iCCP"])
def test_a_chunk_that_draws_nothing_goes(kind: bytes) -> None:
    whole = picture()
    assert drawn_only(whole[:33] + chunk(kind, NAME) + whole[33:]) == whole


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (NAME, "is a PNG"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (picture()[:-1], "cut off"),
        (picture().replace(b"IDAT", b"IDAt"), "damaged"),
        (picture()[:33] + struct.pack(">I", 2**31) + b"IDAT" + bytes(40), "damaged"),
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        drawn_only(content)
