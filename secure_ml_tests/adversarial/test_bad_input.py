"""What is delivered may be anything: each fault is a clear error without a value, and leaves nothing half-written."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.cli.main import main
from secure_ml_tests.adversarial.canaries import canaries, loan_rows
from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes.loan_installation import (
    ENVIRONMENT,
    SHIPPED_TABLE,
    Attributes,
    LoanInstallation,
    Row,
    add_project,
    loan_installation,
)  # fmt: skip
from secure_ml_tests.fakes.needed import need

ROWS = 120
PLANTED = "Xyzzyphene Quuxenheimer"
Command = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and all that it printed."""

    code: object
    text: str


@pytest.fixture
def secure_ml(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The program, in this process."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["secure-ml", *arguments])
        monkeypatch.setenv("COLUMNS", "400")
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ended(ended.value.code, out + err)

    return run


@pytest.fixture(scope="module")
def texts() -> Texts:
    known = canaries(loan_rows([SHIPPED_TABLE])[:ROWS], with_remarks=True)
    return known.with_kind("planted", [PLANTED])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanInstallation]:
    with loan_installation(tmp_path_factory.mktemp("bad_input")) as made:
        yield made


def require_clear(ended: Ended, words: str, texts: Texts, home: Path) -> None:
    """A refusal with these words, that shows no value and no trace of Python."""
    assert ended.code == 1, ended.text
    assert words in ended.text
    assert "Traceback" not in ended.text
    assert not search(texts, ended.text.encode())
    assert search_folder(texts, home) == {}


def require_nothing_half_written(installed: LoanInstallation, name: str) -> None:
    """Every folder of the vault is a committed version's, and complete."""
    manifests = installed.installation().versions.heads(environment=ENVIRONMENT, project=name)
    committed = {manifest.version_id for manifest in manifests}
    assert {path.name for path in installed.home.glob(f"vault/{ENVIRONMENT}/{name}/*/*/*")} == committed
    assert not list(installed.home.rglob("*.partial"))


def emptied(content: bytes) -> bytes:
    return b""


def header_only(content: bytes) -> bytes:
    return content.partition(b"\n")[0] + b"\n"


def without_a_column(content: bytes) -> bytes:
    return content.replace(b",pan,", b",", 1)


def with_a_column_twice(content: bytes) -> bytes:
    return content.replace(b",pan,", b",aadhaar,", 1)


def with_a_cell_too_many(content: bytes) -> bytes:
    lines = content.splitlines()
    lines[40] += f",{PLANTED}".encode()
    return b"\n".join(lines) + b"\n"


def with_an_unclosed_quote(content: bytes) -> bytes:
    lines = content.splitlines()
    lines[40] = f'"{PLANTED},'.encode() + lines[40]
    return b"\n".join(lines) + b"\n"


def with_a_huge_cell(content: bytes) -> bytes:
    lines = content.splitlines()
    lines[40] = lines[40].replace(b"LA", f"{PLANTED * 20_000}LA".encode(), 1)
    return b"\n".join(lines) + b"\n"


def with_invalid_utf8(content: bytes) -> bytes:
    lines = content.splitlines()
    lines[40] = lines[40].replace(b"LA", f"{PLANTED}\xff\xfeLA".encode("latin-1"), 1)
    return b"\n".join(lines) + b"\n"


def in_utf16(content: bytes) -> bytes:
    return content.decode().encode("utf-16")


def a_picture(content: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (emptied, "the file is empty"),
        (header_only, "has no rows"),
        (without_a_column, "lacks the declared columns pan"),
        (with_a_column_twice, "two columns have the same name"),
        (with_a_cell_too_many, "broken CSV"),
        (with_an_unclosed_quote, "quot"),
        (with_a_huge_cell, "longer than"),
        (with_invalid_utf8, "UTF-8"),
        (in_utf16, "UTF-8"),
        (a_picture, "UTF-8"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_spoiled_file_is_refused_and_nothing_of_it_is_kept(
    installed: LoanInstallation, secure_ml: Command, texts: Texts, spoil: Callable[[bytes], bytes], words: str
) -> None:
    name = spoil.__name__
    add_project(installed, name, rows=ROWS)
    file = installed.table(name)
    file.write_bytes(spoil(file.read_bytes()))
    require_clear(secure_ml("run", name, "--until", "masked"), words, texts, installed.home)
    require_nothing_half_written(installed, name)
    assert installed.head(name, Stage.RAW) is None


def test_a_file_that_is_not_there_is_named(installed: LoanInstallation, secure_ml: Command, texts: Texts) -> None:
    add_project(installed, "gone", rows=ROWS)
    installed.table("gone").unlink()
    require_clear(secure_ml("run", "gone", "--until", "raw"), "no such file", texts, installed.home)
    require_nothing_half_written(installed, "gone")


def write_words_for_numbers(rows: list[Row]) -> None:
    for row in rows:
        row["loan_amount"] = row["full_name"]
        row["loan_term_months"] = PLANTED


def test_cells_of_another_type_close_the_version_by_its_checks(
    installed: LoanInstallation, secure_ml: Command, texts: Texts
) -> None:
    add_project(installed, "wrong_types", rows=ROWS, edit=write_words_for_numbers)
    ended = secure_ml("run", "wrong_types", "--until", "masked")
    require_clear(ended, "check failed", texts, installed.home)
    assert "loan_amount" in ended.text
    assert installed.head("wrong_types", Stage.CLASSIFIED) is None
    require_nothing_half_written(installed, "wrong_types")


def approve_everybody(rows: list[Row]) -> None:
    for row in rows:
        row["approved"] = "yes"


def test_a_label_with_one_class_is_refused_before_anything_is_spent(
    installed: LoanInstallation, secure_ml: Command, texts: Texts
) -> None:
    add_project(installed, "one_class", rows=ROWS, edit=approve_everybody)
    require_clear(secure_ml("run", "one_class"), "one class came", texts, installed.home)
    assert installed.head("one_class", Stage.TRAINED) is None
    assert installed.installation().ledger.spent(f"{ENVIRONMENT}/one_class").epsilon == 0
    require_nothing_half_written(installed, "one_class")


def name_a_subject_that_is_no_column(attributes: Attributes) -> None:
    attributes["subject"] = {"column": "nobody"}


def test_an_unknown_subject_column_is_refused_with_its_line(
    installed: LoanInstallation, secure_ml: Command, texts: Texts
) -> None:
    add_project(installed, "no_subject", rows=ROWS, change=name_a_subject_that_is_no_column)
    ended = secure_ml("run", "no_subject", "--until", "raw")
    require_clear(ended, "nobody", texts, installed.home)
    assert "defs.yaml" in ended.text


@pytest.mark.parametrize("option", ["--subject", "--label"])
def test_drafting_with_an_unknown_column_is_refused(
    installed: LoanInstallation, secure_ml: Command, texts: Texts, option: str
) -> None:
    named = {"--label": "approved", "--subject": "customer_id", option: "nobody"}
    options = [word for pair in named.items() for word in pair]
    ended = secure_ml("init", "drafted", "--data", str(SHIPPED_TABLE), *options)
    require_clear(ended, "nobody", texts, installed.home)
    assert not installed.folder("drafted").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("loan_approval", "--partition", "2031-01"), "has no partition"),
        (("loan_approval", "--partition", "../../etc"), "has no partition"),
        (("nonesuch",), "there is no project"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_there_is(
    installed: LoanInstallation, secure_ml: Command, texts: Texts, arguments: tuple[str, ...], words: str
) -> None:
    require_clear(secure_ml("run", *arguments), words, texts, installed.home)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], LoanInstallation]]:
    """An installation whose home is a file system of a given size."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    def mounted(size: str) -> LoanInstallation:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", home], capture_output=True)
        need(made.returncode == 0, "a small file system can be mounted by root only")
        return LoanInstallation(tmp_path)

    with loan_installation(tmp_path):
        yield mounted
        subprocess.run(["umount", "-l", home], capture_output=True)


@pytest.mark.parametrize("size", ["40k", "200k", "600k", "1m"])
def test_a_full_disk_is_told_and_nothing_is_half_written(
    small_disk: Callable[[str], LoanInstallation], secure_ml: Command, texts: Texts, size: str
) -> None:
    installed = small_disk(size)
    add_project(installed, "filling", rows=2_000)
    ended = secure_ml("run", "filling", "--until", "masked")
    require_clear(ended, "disk", texts, installed.home)
    assert "free space" in ended.text
    subprocess.run(["mount", "-o", "remount,size=50m", installed.home], check=True)
    require_nothing_half_written(installed, "filling")
    assert secure_ml("run", "filling", "--until", "raw").code == 0


def test_a_read_only_home_is_told(
    small_disk: Callable[[str], LoanInstallation], secure_ml: Command, texts: Texts
) -> None:
    installed = small_disk("20m")
    add_project(installed, "reading", rows=ROWS)
    assert secure_ml("run", "reading", "--until", "raw").code == 0
    before = sorted(str(path) for path in installed.home.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", installed.home], check=True)
    require_clear(secure_ml("run", "reading", "--until", "raw"), "may write", texts, installed.home)
    assert sorted(str(path) for path in installed.home.rglob("*")) == before


def test_an_empty_read_only_home_is_told(
    small_disk: Callable[[str], LoanInstallation], secure_ml: Command, texts: Texts
) -> None:
    installed = small_disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", installed.home], check=True)
    require_clear(secure_ml("run", "loan_approval", "--until", "raw"), "may write", texts, installed.home)
    assert list(installed.home.rglob("*")) == []
