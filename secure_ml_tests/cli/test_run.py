"""`secure-ml run`."""

import json

import pytest

from secure_ml_tests.cli.conftest import small_policy, write_small_project
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.fakes.small_project import IDENTIFIERS, PARTITIONS, PROJECT, rows


@pytest.fixture
def drafted(terminal: Terminal) -> Terminal:
    """A terminal with the small project, of which nothing has run."""
    write_small_project(terminal)
    return terminal


def test_an_unknown_project_is_refused_with_the_names_of_the_known(drafted: Terminal) -> None:
    said = drafted("run", "nowhere")
    assert said.code == 1
    assert not said.out
    assert said.err.startswith("error InstallationError: there is no project 'nowhere'; there are: clinic")
    assert said.err.count("\n") == 1


def test_a_name_that_is_a_path_is_no_project(drafted: Terminal) -> None:
    said = drafted("run", "../projects/clinic")
    assert said.code == 1
    assert "there is no project" in said.err


def test_an_unknown_partition_is_refused_with_the_names_of_the_known(drafted: Terminal) -> None:
    said = drafted("run", PROJECT, "--partition", "third")
    assert said.code == 1
    assert said.err == "error RunError: clinic has no partition 'third'; it has first, second\n"


def test_another_environment_is_asked_for_by_its_name(drafted: Terminal) -> None:
    said = drafted("run", PROJECT, "--until", "raw", "--environment", "test", "--json")
    assert (said.code, said.json["environment"]) == (1, "test")
    assert "declare a table of its own under environments.test.source" in said.err
    assert drafted("run", PROJECT, "--environment", "staging").code == 2


def test_an_unknown_stage_is_refused_with_2(drafted: Terminal) -> None:
    assert drafted("run", PROJECT, "--until", "cooked").code == 2


def test_a_policy_that_waits_for_its_steward_names_file_line_and_field(drafted: Terminal) -> None:
    content = small_policy()
    del content["purpose"]
    folder = write_small_project(drafted, content)
    said = drafted("run", PROJECT)
    assert said.code == 1
    assert said.err.startswith(f"error PolicyError: {folder / 'defs.yaml'}:")
    assert "purpose" in said.err
    assert said.err.count("\n") == 1


def test_each_fault_of_a_policy_is_told_on_a_line_of_its_own(drafted: Terminal) -> None:
    content = small_policy()
    del content["purpose"], content["title"]
    folder = write_small_project(drafted, content)
    lines = drafted("run", PROJECT).err.splitlines()
    assert [line.partition(f"error PolicyError: {folder / 'defs.yaml'}:")[0] for line in lines] == ["", ""]
    assert all(sum(f" {field}: is missing" in line for line in lines) == 1 for field in ("purpose", "title"))
    assert len(drafted("status", "--json").json["unfinished"]) == 2


def test_one_partition_runs_up_to_masked_and_says_so_in_json(protected: Terminal) -> None:
    said = protected("run", PROJECT, "--until", "raw", "--partition", PARTITIONS[1], "--json")
    assert said.code == 0
    assert said.json["success"] is True
    assert said.json["project"] == PROJECT
    [ran] = said.json["runs"]
    assert (ran["partition"], ran["stages"], ran["failures"], ran["failed_checks"]) == (PARTITIONS[1], ["raw"], [], [])


def test_a_failed_check_is_told_with_its_words_and_no_cell_and_exits_with_1(drafted: Terminal) -> None:
    content = small_policy()
    content["columns"]["diagnosis"]["identifiability"] = "none"
    write_small_project(drafted, content)
    said = drafted("run", PROJECT, "--until", "masked", "--json")
    assert said.code == 1
    assert said.json["success"] is False
    assert len(said.json["runs"]) == 1
    [check] = said.json["runs"][0]["failed_checks"]
    assert check["check"] == "classified.no_undeclared_sensitive_column"
    assert check["blocking"] is True
    assert said.err.startswith("check failed classified.no_undeclared_sensitive_column [first]: ")
    assert "error" not in said.err
    everything = said.out + said.err
    assert not [row[name] for row in rows() for name in IDENTIFIERS if row[name] in everything]


def test_a_missing_source_is_told_without_a_traceback(drafted: Terminal) -> None:
    folder = write_small_project(drafted)
    (folder / f"table-{PARTITIONS[0]}.csv").unlink()
    said = drafted("run", PROJECT, "--until", "raw")
    assert said.code == 1
    assert not said.out
    assert said.err.startswith(f"error [{PARTITIONS[0]}] ")
    assert f"table-{PARTITIONS[0]}.csv" in said.err
    assert "Traceback" not in said.err


def test_nothing_but_json_stands_on_standard_output(protected: Terminal) -> None:
    said = protected("run", PROJECT, "--until", "raw", "--partition", PARTITIONS[0], "--json")
    assert json.loads(said.out)
    assert said.out.startswith("{")
    assert said.out.endswith("}\n")
