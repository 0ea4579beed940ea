"""partial_mask by bytes gives what it gives by regular expressions, whatever other cells stand beside a plain one."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.treatments import PartialMask as Spec
from secure_ml.protection.mask.partial_mask import PartialMask, masked_bytes, masked_text
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml_tests.protection.mask.tables import column_policy

ASCII = st.text(st.characters(codec="ascii"), max_size=20) | st.text(st.sampled_from("09aZ -./*_@#\n\0"), max_size=20)
OTHER = st.text(st.sampled_from("0aé٣ -.*अ\u0301😀"), max_size=12)
SPECS = st.sampled_from([(0, 0), (0, 4), (4, 0), (1, 2), (2, 2)])


def spec_of(kept: tuple[int, int]) -> Spec:
    return Spec(kind="partial_mask", keep_first=kept[0], keep_last=kept[1])


@settings(max_examples=150, deadline=None)
@given(cells=st.lists(st.tuples(st.none() | ASCII, st.booleans()), max_size=8), kept=SPECS, skipped=st.integers(0, 3))
def test_bytes_are_masked_as_regular_expressions_mask_them(
    cells: list[tuple[str | None, bool]], kept: tuple[int, int], skipped: int
) -> None:
    texts = pa.array([text for text, _ in cells], pa.string())[skipped:]
    known = pa.array([known for _, known in cells], pa.bool_())[skipped:]
    assert masked_bytes(texts, known, spec_of(kept)).equals(masked_text(texts, known, spec_of(kept)))


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.none() | ASCII | OTHER, max_size=8), kept=SPECS)
def test_a_cell_is_masked_alike_whatever_stands_beside_it(cells: list[str | None], kept: tuple[int, int]) -> None:
    declared = column_policy(treatment={"kind": "partial_mask", "keep_first": kept[0], "keep_last": kept[1]})
    treatment = PartialMask(ColumnReader(declared, ("",)), spec_of(kept))
    together = treatment.apply(pa.array(cells, pa.string())).values.to_pylist()
    assert together == [treatment.apply(pa.array([cell], pa.string())).values[0].as_py() for cell in cells]


def test_more_cells_than_are_masked_at_once_keep_their_places() -> None:
    cells = [f"x{n}" * (n % 4) for n in range(70_000)]
    texts = pa.array(cells)
    made = masked_bytes(texts, texts.is_valid(), spec_of((0, 2)))
    for row in (0, 1, 32_767, 32_768, 69_999):
        assert made[row : row + 1].equals(
            masked_text(texts[row : row + 1], texts[row : row + 1].is_valid(), spec_of((0, 2)))
        )
