"""Hostile code of a run reaches nothing but the kernel and the assessor, though each of its ways leads somewhere."""

import pytest

from secure_ml_tests.separated.story import Story

pytestmark = pytest.mark.journey


def test_nothing_that_listens_on_this_machine_is_reached(story: Story) -> None:
    assert story.reached == []


def test_each_of_them_is_reached_by_the_same_user_outside_of_a_run(story: Story) -> None:
    kinds = [name.partition(" ")[0] for name in story.reached_outside]
    assert {"tcp", "udp", "abstract"} <= set(kinds)
    assert kinds.count("path") == 3


@pytest.mark.parametrize("way", ["tcp", "c library", "program", "flight", "abstract", "path", "look up"])
def test_every_way_fails(story: Story, way: str) -> None:
    tried = {name: answer for name, answer in story.masked["reach_in_a_child"].items() if name.startswith(way)}
    assert tried
    assert "done" not in tried.values()


def test_sockets_past_every_namespace_are_refused(story: Story) -> None:
    found = story.masked["reach_in_a_child"]
    assert (found["vsock"], found["packet"]) == ("EAFNOSUPPORT", "EAFNOSUPPORT")
    assert (found["io_uring"], found["another abi"]) == ("ENOSYS", "ENOSYS")
    assert found["another's network"] in {"EACCES", "EPERM"}


def test_what_the_interpreter_tells_of_is_refused_first_and_the_log_has_it(story: Story) -> None:
    assert {answer.partition(":")[0] for answer in story.masked["reach_in_python"].values()} == {"EgressRefused"}
    attempts = [entry for entry in story.log if entry["action"] == "egress.attempt"]
    assert {"connect", "send", "look_up", "symbol"} == {entry["details"]["kind"] for entry in attempts}
    assert {entry["outcome"] for entry in attempts} == {"refused"}
