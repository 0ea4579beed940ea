import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.canonical import canonical, has_shape

SHAPED = [entity for entity in Entity if has_shape(pa.array(["1"]), entity) is not None]
WELL_SHAPED = [
    "9876543210", "+91 98765-43210", "4111 1111 1111 1111", "123456789012", "ABCPE1234F", "a.b@mail.example",
    "ravi@oksbi", "deutdeff", "GB82WEST12345698765432", "00:1B:44:11:3A:B7", "10.0.0.1", "MH1220110012345",
    "x" * 64 + "@mail.example", "x" * 65 + "@mail.example",
    "a@" + "b" * 200 + ".example", "a@" + "b" * 201 + ".example",
]  # fmt: skip
CELLS = st.one_of(
    st.sampled_from(WELL_SHAPED), st.text("0129AFZafz .-+:/@\n\t\u0663\u017f\u00e9", max_size=14), st.none()
)


@pytest.mark.parametrize(
    ("entity", "written", "once"),
    [
        (Entity.SSN, ("123-45-6789", "123 45 6789", "123456789"), "123456789"),
        (Entity.NHS_NUMBER, ("943 476 5919", "943-476-5919"), "9434765919"),
        (Entity.AADHAAR_VIRTUAL_ID, ("2341 2341 2341 2341", "2341-2341-2341-2341"), "2341234123412341"),
        (Entity.ABHA_NUMBER, ("91-1234-5678-9012", "91 1234 5678 9012"), "91123456789012"),
        (Entity.ABHA_NUMBER, ("Ravi.K@abdm", "ravi.k@ABDM"), "ravi.k@abdm"),
        (Entity.UPI_ID, ("Ravi@OkSBI", "ravi@oksbi"), "ravi@oksbi"),
        (Entity.PASSPORT, ("z1 234567", "Z1234567"), "Z1234567"),
        (Entity.DRIVING_LICENCE, ("mh-12 2011 0012345", "MH1220110012345"), "MH1220110012345"),
        (Entity.VOTER_ID, ("abc 1234566", "ABC-1234566"), "ABC1234566"),
        (Entity.SWIFT_BIC, ("deut de ff", "DEUTDEFF"), "DEUTDEFF"),
        (Entity.MAC_ADDRESS, ("00-1b-44-11-3a-b7", "001b.4411.3ab7", "00:1B:44:11:3A:B7"), "001B44113AB7"),
        (Entity.URL, ("https://x.example/Ab",), "https://x.example/Ab"),
    ],
)
def test_what_is_written_in_several_ways_is_one_value(entity: Entity, written: tuple[str, ...], once: str) -> None:
    assert set(canonical(pa.array(written), entity).to_pylist()) == {once}


@pytest.mark.parametrize("entity", [Entity.SSN, Entity.NPI, Entity.MAC_ADDRESS])
def test_two_broken_values_do_not_become_one(entity: Entity) -> None:
    broken = ["unknown", "unknown 2", "n.a.", None]
    assert len(set(canonical(pa.array(broken), entity).to_pylist())) == len(broken)
    assert has_shape(pa.array(broken), entity).to_pylist() == [False, False, False, None]


@pytest.mark.parametrize("entity", SHAPED)
def test_a_cell_is_the_same_alone_and_beside_others_and_lines_of_it_are_no_cells(entity: Entity) -> None:
    for cell in WELL_SHAPED:
        _require_same_beside_others(entity, pa.array([cell]))
        _require_same_beside_others(entity, pa.array([f"{cell}\n{cell}"]))


@given(st.sampled_from(SHAPED), st.lists(CELLS, max_size=6), st.sampled_from(WELL_SHAPED), st.integers(0, 80))
def test_what_a_cell_is_does_not_depend_on_what_stands_beside_it(
    entity: Entity, cells: list[str | None], same: str, times: int
) -> None:
    _require_same_beside_others(entity, pa.array([*cells, *[same] * times], pa.string()))


def _require_same_beside_others(entity: Entity, texts: pa.Array) -> None:
    # Beside such a cell nothing is seen at a glance.
    beside = pa.concat_arrays([pa.array(["\u00e9\n", None]), texts])
    assert has_shape(texts, entity).equals(has_shape(beside, entity)[2:])
    assert has_shape(texts, entity).equals(has_shape(beside[2:], entity))
    assert canonical(texts, entity).equals(canonical(beside, entity)[2:])
    assert canonical(texts, entity).equals(canonical(beside[2:], entity))
