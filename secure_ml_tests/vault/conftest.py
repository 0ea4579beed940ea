"""Every contract of the door is kept by the kernel in this process and by one that is reached as JSON."""

import pytest

from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import SmallProject


@pytest.fixture(params=["in process", "as JSON"])
def project(request: pytest.FixtureRequest, checked_project: SmallProject) -> SmallProject:
    """A checked project, once for each way to reach its kernel."""
    return checked_project if request.param == "in process" else checked_project.through(JsonKernel)
