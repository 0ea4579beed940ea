"""`actors.yaml`: who is who, and who could have written it."""

import os
from pathlib import Path

import pytest

from secure_ml.access.actors import Actor, Actors, sole_user
from secure_ml.access.errors import AccessError
from secure_ml_tests.fakes.needed import need

GOOD = """\
actors:
  person:steward-1:
    roles: [data_steward]
    logins: [steward]
  person:scientist-1:
    roles: [data_scientist, ml_engineer]
    logins: [scientist, "10042"]
  service:sensor:
    roles: [sensor]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "actors.yaml"


def load(path: Path, text: str = GOOD) -> Actors:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return Actors.load(path)


def test_an_actor_is_found_by_login_and_by_name(path: Path) -> None:
    actors = load(path)
    scientist = Actor("person:scientist-1", frozenset({"data_scientist", "ml_engineer"}))
    assert actors.of_login("scientist") == actors.of_login("10042") == scientist
    assert actors.of_name("person:scientist-1") == scientist
    assert actors.of_name("service:sensor") == Actor("service:sensor", frozenset({"sensor"}))


def test_whoever_is_not_named_is_nobody(path: Path) -> None:
    actors = load(path)
    for unknown in ("root", "", "person:steward-1", "service:sensor", "sensor"):
        assert actors.of_login(unknown) is None
    for unknown in ("steward", "", "os-user:steward", "person:steward-2"):
        assert actors.of_name(unknown) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[data_steward]", "[data_stewart]", 3, "data_stewart: there is no such role"),
        ("[data_steward]", "[sensor]", 3, "sensor: only the kind service can hold it"),
        ("[sensor]", "[data_steward]", 9, "data_steward: only the kind person can hold it"),
        ("[sensor]", "[sole_user]", 9, "sole_user: only the kind os-user can hold it"),
        ("[sensor]", "[]", 9, "actors.service:sensor.roles: Tuple should have at least 1 item"),
        ("person:steward-1", "os-user:steward", 2, "String should match pattern"),
        ("person:steward-1", "steward-1", 2, "String should match pattern"),
        ("[steward]", "[scientist]", 1, "the login scientist belongs to one actor only"),
        ("[steward]", "['not a login']", 4, "actors.person:steward-1.logins.0: String should match pattern"),
        ("logins: [steward]", "uid: 0", 4, "actors.person:steward-1.uid: no such field"),
        ("person:scientist-1", "person:steward-1", 5, "person:steward-1: is written twice; keep one"),
        (GOOD, "", 1, "expected the field actors"),
        (GOOD, "actors: {", 2, "not valid YAML"),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(AccessError) as caught:
        load(path, GOOD.replace(old, new))
    told = str(caught.value).splitlines()[0]
    assert told.startswith(f"{path}:{line}: ")
    assert words in told


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    load(path)
    path.chmod(mode)
    with pytest.raises(AccessError, match=f"run: chmod go-w {path}"):
        Actors.load(path)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_folder_in_which_others_can_put_a_file_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    load(folder / "actors.yaml")
    folder.chmod(mode)
    with pytest.raises(AccessError, match=f"chmod go-w {folder}"):
        Actors.load(folder / "actors.yaml")


@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_file_of_another_user_is_refused(tmp_path: Path, given: str) -> None:
    need(os.geteuid() == 0, "only root gives files away")
    folder = tmp_path / "etc"
    folder.mkdir()
    load(folder / "actors.yaml")
    os.chown(folder if given == "folder" else folder / "actors.yaml", 12345, 12345)
    with pytest.raises(AccessError, match="belongs to another user"):
        Actors.load(folder / "actors.yaml")


def test_what_is_no_file_of_its_own_is_refused(tmp_path: Path, path: Path) -> None:
    load(tmp_path / "elsewhere.yaml")
    path.symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(AccessError, match=f"{path}: cannot be read"):
        Actors.load(path)
    path.unlink()
    with pytest.raises(AccessError, match="No such file"):
        Actors.load(path)
    os.mkfifo(path)
    with pytest.raises(AccessError, match="is not a regular file"):
        Actors.load(path)


def test_what_is_no_text_or_too_long_is_refused(path: Path) -> None:
    path.write_bytes(b"actors: \xff")
    with pytest.raises(AccessError, match="it is not UTF-8"):
        Actors.load(path)
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(AccessError, match="longer than a list of actors can be"):
        Actors.load(path)


def test_the_sole_user_bears_the_login_and_one_role() -> None:
    assert sole_user("someone") == Actor("os-user:someone", frozenset({"sole_user"}))
    assert sole_user("someone").kind == "os-user"
