"""The search that other tests rely on finds a text however it is wrapped, and only where it stands."""

import base64
import gzip
import io
import json
import random
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from secure_ml_tests.adversarial.search import Texts, search, search_folder

NAME, NUMBER = "Zorblax Quillfeather", "9876543210"
TEXTS = Texts({"name": [NAME], "number": [NUMBER]})
BOTH = {"name": 1, "number": 1}
CONTENT = f"before {NAME}; {NUMBER} behind".encode()


def sqlite(content: bytes) -> bytes:
    """A database in whose file neither value stands in one piece: a long cell goes on on another page."""
    for before in range(0, 5_000, 8):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE notes (number INTEGER, note TEXT)")
            connection.execute(
                "INSERT INTO notes VALUES (?, ?)", (int(NUMBER), "." * before + NAME + "." * (9_000 - before))
            )
            connection.commit()
            made = connection.serialize()
        if NAME.encode() not in made:
            assert NUMBER.encode() not in made
            return made
    raise AssertionError("no page ends inside the name")


def sqlite_of_packed_cells(content: bytes) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE notes (note BLOB, body TEXT)")
        packed = base64.b64encode(zlib.compress(content)).decode()
        connection.execute("INSERT INTO notes VALUES (?, ?)", (gzip.compress(b"nothing"), packed))
        connection.commit()
        return connection.serialize()


def archive(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("schema.json", json.dumps({"content": base64.b64encode(content).decode()}))
    return target.getvalue()


def zstandard(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "upper case": bytes.upper,
    "utf-16 little": lambda content: b"\x01" + content.decode().encode("utf-16-le"),
    "utf-16 big": lambda content: content.decode().encode("utf-16-be"),
    "hex": lambda content: content.hex().encode(),
    "base64": base64.b64encode,
    "base64 for urls": base64.urlsafe_b64encode,
    "percent-encoded": lambda content: content.replace(b" ", b"%20"),
    "gzip": gzip.compress,
    "zlib in the middle": lambda content: b"\x00" * 999 + zlib.compress(content * 50) + b"\xff" * 999,
    "zstandard in the middle": lambda content: b"PAR1" + zstandard(content * 50) + b"PAR1" * 99,
    "base64 of gzip": lambda content: base64.b64encode(gzip.compress(content)),
    "archive": archive,
    "sqlite": sqlite,
    "sqlite of packed cells": sqlite_of_packed_cells,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_text_is_found_in_every_wrapping(wrapping: str) -> None:
    assert search(TEXTS, WRAPPINGS[wrapping](CONTENT)) == BOTH


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_nothing_is_found_where_nothing_stands(wrapping: str) -> None:
    other = Texts({"name": ["Zorblax Quillfeathers"], "number": ["9876543211"]})
    assert not search(other, WRAPPINGS[wrapping](CONTENT))


def test_a_text_is_found_at_every_offset_and_at_either_end() -> None:
    for offset in range(17):
        assert TEXTS.found_in(b"." * offset + NAME.encode()) == {"name": 1}
        assert TEXTS.found_in(b"." * offset + NUMBER.encode() + b"." * (17 - offset)) == {"number": 1}


def test_of_random_texts_all_those_and_only_those_are_found_that_stand_there() -> None:
    drawn = random.Random(5)
    made = ["".join(drawn.choices("abcdef ", k=drawn.randint(7, 12))) for _ in range(3_000)]
    content = "".join(drawn.choices("abcdef ", k=60_000)) + "|".join(made[:400])
    expected = {text for text in made if text in content}
    assert len(expected) >= 400
    assert sum(Texts({"text": made}).found_in(content.encode()).values()) == len(expected)


@pytest.mark.parametrize(
    ("around", "found"),
    [
        ("id={}", True),
        ("560011{}", True),
        ("+91{}", True),
        ("10.{}", False),
        ("end.{}", True),
        ("0.12{}", False),
        ("digest deadbeefdeadbeefdeadbeef{}", False),
        ("digest deadbeef{}", True),
    ],
)
def test_a_number_inside_a_digest_or_a_fraction_is_chance(around: str, found: bool) -> None:
    assert bool(TEXTS.found_in(around.format(NUMBER).encode())) is found


def test_the_name_of_a_file_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / f"{NUMBER}.csv").write_text("nothing", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    assert search_folder(TEXTS, tmp_path) == {f"{NUMBER}.csv": {"number": 1}}


def test_a_text_that_is_too_short_to_be_looked_for_is_an_error() -> None:
    with pytest.raises(AssertionError, match="too short"):
        Texts({"name": ["Das"]})
