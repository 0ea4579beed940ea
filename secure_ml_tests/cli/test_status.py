"""`secure-ml status`."""

from secure_ml.access.stages import Stage
from secure_ml.settings import NOT_PROTECTED, Profile
from secure_ml_tests.cli.conftest import shipped_projects, small_policy, write_small_project
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.fakes.small_project import PARTITIONS, PROJECT


def test_without_an_installation_it_says_so_and_makes_none(terminal: Terminal) -> None:
    for arguments in (("status",), ("status", "--json"), ("audit", "verify")):
        said = terminal(*arguments)
        assert said.code == 1
        assert not said.out
        assert said.err.startswith(f"error InstallationError: there is no installation in {terminal.home}")
        assert said.err.count("\n") == 1
    assert not terminal.home.exists()
    assert not terminal.keys.exists()


def test_json_has_the_fields_that_programs_read(protected: Terminal) -> None:
    told = protected("status", "--json").json
    assert set(told) == {
        "home", "keys", "profile", "environment", "not_protected", "shortfalls", "audit_log_entries", "unfinished",
        "projects",
    }  # fmt: skip
    assert (told["home"], told["keys"]) == (str(protected.home), str(protected.keys))
    assert told["profile"] == "personal"
    assert told["not_protected"] == list(NOT_PROTECTED[Profile.PERSONAL])
    assert told["audit_log_entries"] > 0
    assert set(told["projects"]) == {PROJECT, *shipped_projects()}
    project = told["projects"][PROJECT]
    assert set(project) == {"stages", "epsilon_spent", "delta_spent", "given_masked", "promoted", "log_entries"}
    assert list(map(str, sorted(Stage))) == sorted(project["stages"])
    for stage in project["stages"].values():
        assert set(stage) == {"versions", "rows", "closed_by_checks", "unchecked", "warnings"}
    assert project["stages"]["masked"]["versions"] == 1
    assert project["stages"]["split"]["versions"] == 0
    assert project["epsilon_spent"] == "0"


def test_people_see_each_stage_and_what_is_not_promised(protected: Terminal) -> None:
    said = protected("status")
    assert said.code == 0
    assert not said.err
    assert "…" not in said.out
    for stage in Stage:
        assert stage in said.out
    for words in NOT_PROTECTED[Profile.PERSONAL]:
        assert words in said.out


def test_a_version_that_a_failed_check_closes_is_told(terminal: Terminal) -> None:
    content = small_policy()
    content["columns"]["diagnosis"]["identifiability"] = "none"
    write_small_project(terminal, content)
    terminal("run", PROJECT, "--partition", PARTITIONS[0])
    told = terminal("status", "--json").json["projects"][PROJECT]["stages"]
    assert told["classified"]["closed_by_checks"] == 1
    assert told["raw"]["closed_by_checks"] == 0
    assert told["masked"]["versions"] == 0
    assert "1 closed by a failed check" in terminal("status").out


def test_an_unfinished_draft_is_told_and_closes_nothing_else(terminal: Terminal) -> None:
    content = small_policy()
    del content["purpose"]
    folder = write_small_project(terminal, content)
    assert terminal("run", PROJECT).code == 1
    said = terminal("status", "--json")
    assert said.code == 0
    assert set(said.json["projects"]) == set(shipped_projects())
    [words] = said.json["unfinished"]
    assert words.startswith(f"PolicyError: {folder / 'defs.yaml'}:")
    assert "waits for its steward" in terminal("status").out
