"""Hostile code of a run on its machine: it finds nothing to read, to write, to trace, to become or to type into."""

import pytest

from secure_ml_tests.separated.story import Story

pytestmark = pytest.mark.journey

NOT_THERE_OR_CLOSED = {"ENOENT", "EACCES"}
NOT_THERE_CLOSED_OR_FIXED = {"ENOENT", "EACCES", "EROFS"}


def test_keys_state_and_other_processes_are_not_read(story: Story) -> None:
    assert any(place.endswith("root.key") for place in story.masked["read"])
    assert set(story.masked["read"].values()) <= NOT_THERE_OR_CLOSED


def test_the_kernels_folder_is_not_even_in_view(story: Story) -> None:
    assert {answer for place, answer in story.masked["read"].items() if "/kernel/" in place} == {"ENOENT"}


def test_policies_actors_code_and_sockets_are_not_written(story: Story) -> None:
    assert any(place.endswith("actors.yaml") for place in story.masked["write"])
    assert set(story.masked["write"].values()) <= NOT_THERE_CLOSED_OR_FIXED


def test_nor_by_the_runs_user_outside_of_any_run(story: Story) -> None:
    assert set(story.outside["read"].values()) == {"EACCES"}
    assert set(story.outside["write"].values()) == {"EACCES"}


LOOKED_INTO = {
    **dict.fromkeys(("mem", "environ", "maps", "fd"), "EACCES"),
    **dict.fromkeys(("ptrace", "process_vm_readv", "pidfd_getfd"), "EPERM"),
}


def test_a_run_sees_its_namespace_alone_and_reads_only_itself(story: Story) -> None:
    keeper, worker, run = story.masked["processes"].items()
    assert (keeper, worker) == (("1", 0), ("2", story.uid))
    assert run[1] == story.uid
    assert story.masked["keeper"] == {**LOOKED_INTO, "kill": "EPERM"}
    assert story.masked["worker"] == LOOKED_INTO


@pytest.mark.parametrize("service", ["kernel", "assessor"])
def test_the_services_are_neither_read_nor_signalled_by_the_runs_user(story: Story, service: str) -> None:
    assert story.outside["looked"][service] == {**LOOKED_INTO, "kill": "EPERM"}


def test_what_a_run_leaves_running_ends_with_it(story: Story) -> None:
    assert story.masked["leave_something_running"] == "started"
    assert story.split["what_was_left_running"] > 1


def test_a_run_has_no_right_and_gets_none(story: Story) -> None:
    rights = story.masked["rights"]
    assert set(rights["Uid"].split()) == {str(story.uid)}
    assert {rights[name] for name in rights if name.startswith("Cap")} == {"0" * 16}
    assert rights["NoNewPrivs"] == "1"
    assert set(story.masked["become_another"].values()) <= {"refused", "not there"}


def test_a_run_has_no_terminal_and_types_into_none(story: Story) -> None:
    found = story.masked["terminal"]
    assert found["held"] == []
    assert found["opened"] in {"ENXIO", "ENOENT"}
    assert set(found["typed"]) <= {"ENOTTY", "EINVAL", "EBADF"}


def test_what_a_run_prints_is_shown_without_what_a_terminal_would_obey(story: Story) -> None:
    assert "Hostile words." in story.shown
    assert "\x1b]0;owned" not in story.shown
    assert "\x1b[8m" not in story.shown
