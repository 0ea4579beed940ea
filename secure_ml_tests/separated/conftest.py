import os
from typing import TYPE_CHECKING

import pytest

from secure_ml_tests.fakes.separated import require_root

if TYPE_CHECKING:
    from secure_ml_tests.separated.story import Story


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> "Story":
    """The one run with hostile code that all tests of a session look at, whichever worker they are on."""
    from secure_ml_tests.separated.story import shared_story

    require_root()
    base = tmp_path_factory.getbasetemp()
    return shared_story((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "separated")
