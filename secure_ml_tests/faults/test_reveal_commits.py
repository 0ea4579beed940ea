"""A kernel behind its socket that is killed at each of its commits while a masked value is had back.

What was told is in the log, with its intent; what is in the log need not have been told.
"""

import shutil
import signal
from pathlib import Path

import pytest

from secure_ml.protection.mask.revealing import RevealValue, reveal
from secure_ml.vault.wire.client import KernelUnavailable
from secure_ml_tests.fakes.reversible_columns import mask, masked_cell, with_reversible_columns
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, make_small_project, open_small_project, rows
from secure_ml_tests.faults.test_kernel_commits import STRIKES, served

pytestmark = pytest.mark.journey

_MOST_COMMITS = 10
ONE = rows()[7]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    mask(make_small_project(root, change=with_reversible_columns))
    return root


@pytest.mark.parametrize("strike", STRIKES)
def test_whatever_commit_kills_the_kernel_nothing_is_told_that_the_log_does_not_have(
    prepared: Path, tmp_path: Path, strike: str
) -> None:
    cell = masked_cell(open_small_project(prepared).installation, "email", ONE["email"])
    request = RevealValue(
        environment=ENVIRONMENT,
        project=PROJECT,
        partition="",
        column="email",
        masked_value=cell,
        case="K-47/11",
        reason="the member has to be told",
    )
    outcomes: list[list[str]] = []
    for nth in range(1, _MOST_COMMITS):
        root = tmp_path / str(nth)
        shutil.copytree(prepared, root)
        with served(root, strike, nth) as (kernel, process):
            try:
                told = reveal(kernel, request)
            except KernelUnavailable:
                told = None
                process.join(60)
                assert process.exitcode == -signal.SIGKILL
        project = open_small_project(root)
        project.installation.log.verify()
        outcomes.append([entry.outcome for entry in project.log("value.reveal")])
        assert outcomes[-1] == ["allowed", "done"][: len(outcomes[-1])]
        if told is not None:
            assert (told.value, outcomes[-1]) == (ONE["email"], ["allowed", "done"])
            expected = [["allowed"], ["allowed", "done"]] if strike == "after" else [[], ["allowed"]]
            assert outcomes == [*expected, ["allowed", "done"]]
            return
    pytest.fail("too many commits")
