"""What the page of a version shows of figures; it is narrow, and cuts off what is wider."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg
import pyarrow as pa
import pytest

from secure_ml.access.stages import Stage
from secure_ml.assessment.gates import Judgement
from secure_ml.orchestration.metadata import evidence_metadata, stored_metadata
from secure_ml.vault.dataset import from_batches
from secure_ml.vault.door import Stored
from secure_ml.vault.manifest import Address
from secure_ml_tests.training.people import policy

GAP = "demographic_parity_difference"


@dataclass(frozen=True)
class Evidence:
    """As much of it as the page asks for."""

    found: tuple[Judgement, ...]
    figures: dict[str, bytes] = field(default_factory=dict)

    def judgements(self, policy: object) -> Iterator[Judgement]:
        yield from self.found


@pytest.mark.parametrize(
    ("judgement", "shown"),
    [
        (Judgement("auc", 0.874, "at least 0.82", True, True, "-"), "**passed** auc\n0.874 (at least 0.82)"),
        (Judgement("f1", 0.5, "at least 0.8", False, True, "-"), "**FAILED** f1\n0.5 (at least 0.8)"),
        (
            Judgement(f"{GAP} by marital_status", 0.2, "at most 0.05", False, False, "-"),
            f"**warns** {GAP}\nby marital_status 0.2 (at most 0.05)",
        ),
        (Judgement("f1", None, "at least 0.8", False, True, "-"), "**FAILED** f1\nno figure (at least 0.8)"),
    ],
    ids=["passed", "failed", "warns", "not measured"],
)
def test_a_gate_is_shown_in_short_lines_with_what_a_failure_means(judgement: Judgement, shown: str) -> None:
    metadata = evidence_metadata(Evidence((judgement,)), policy())

    lines = str(metadata["gates"].value).removeprefix("- ").split("\n")
    assert "\n".join(line.strip() for line in lines) == shown
    assert max(map(len, shown.replace("**", "").split("\n"))) <= 38


def test_a_figure_by_attribute_has_a_name_that_fits_beside_its_time() -> None:
    summary = {"auc": 0.8, "demographic_parity_difference.marital_status": 0.2, "f1": "suppressed"}
    empty = from_batches([], schema=pa.schema([]), labels={})
    address = Address("training", "loans", Stage.VALIDATED, "")
    stored = Stored(address, "v", "d", rows=1, sequence=1, audit_index=7, dataset=empty, summary=summary)

    metadata = stored_metadata(stored, Stage.VALIDATED, policy())

    assert metadata["demographic_parity.marital_status"] == dg.MetadataValue.float(0.2)
    assert max(len(name) for name in metadata) <= 33
