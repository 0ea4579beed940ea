"""Small projects on instances of their own."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project
from secure_ml_tests.fakes.small_project import declare_all, make_small_project


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as made:
        yield made


@pytest.fixture
def clinic(tmp_path: Path, instance: dg.DagsterInstance) -> DagsterProject:
    """Two partitions, every check of which passes."""
    return dagster_project(make_small_project(tmp_path, partitioned=True, change=declare_all), instance)


@pytest.fixture
def under_declared(tmp_path: Path, instance: dg.DagsterInstance) -> DagsterProject:
    """Two partitions whose findings go beyond the policy: the check of classified fails."""
    return dagster_project(make_small_project(tmp_path, partitioned=True), instance)
