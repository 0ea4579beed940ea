import itertools
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.text import CERTAIN, certain_entities, find_spans

REMARK = (
    "met Shri Ravi Kumar. Call +91-98765 43210 or 098765 43210; Aadhaar 2341 2341 2346, PAN ABCPE1234F, "
    "a/c no 50100012345678 at HDFC0001234, card 4111 1111 1111 1111, IBAN GB82 WEST 1234 5698 7654 32 PAID, "
    "mail ravi.k@mail.example.in from 10.1.2.3, born 12/05/1990, pin 411001, GSTIN 27AAPFU0939F1ZV."
)


def found(text: str) -> list[tuple[Entity, str]]:
    return [(span.entity, text[span.start : span.end]) for span in find_spans(text)]


def test_every_identifier_inside_a_remark_is_found_exactly() -> None:
    assert found(REMARK) == [
        (Entity.PERSON_NAME, "Shri Ravi Kumar"),
        (Entity.PHONE, "+91-98765 43210"),
        (Entity.PHONE, "098765 43210"),
        (Entity.AADHAAR, "2341 2341 2346"),
        (Entity.PAN, "ABCPE1234F"),
        (Entity.ACCOUNT_NUMBER, "50100012345678"),
        (Entity.IFSC, "HDFC0001234"),
        (Entity.CARD, "4111 1111 1111 1111"),
        (Entity.IBAN, "GB82 WEST 1234 5698 7654 32"),
        (Entity.EMAIL, "ravi.k@mail.example.in"),
        (Entity.IP_ADDRESS, "10.1.2.3"),
        (Entity.DATE_OF_BIRTH, "12/05/1990"),
        (Entity.PIN_CODE, "411001"),
        (Entity.GSTIN, "27AAPFU0939F1ZV"),
    ]


@pytest.mark.parametrize(
    "text", ["income 1200000, emi 12000, tenure 24 months", "score 742 of 900", "visited on 5 May", ""]
)
def test_amounts_and_scores_are_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "number", ["2341 2341 2345", "234123412345", "4111 1111 1111 1112", "12345 67890", "666-63-0237"]
)
def test_a_number_of_an_identifiers_shape_is_masked_although_its_check_fails(number: str) -> None:
    (span,) = find_spans(f"see {number} there")
    assert (span.start, span.end) == (4, 4 + len(number))
    assert span.score < CERTAIN


def test_digits_of_another_script_are_found_at_their_own_offsets() -> None:
    text = "आधार २३४१ २३४१ २३४६ देखा"
    assert found(text) == [(Entity.AADHAAR, "२३४१ २३४१ २३४६")]


@given(st.text(alphabet="0123456789 -+@.abAPZ/()\n", max_size=120))
def test_spans_are_ordered_disjoint_and_repeatable(text: str) -> None:
    spans = find_spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in itertools.pairwise(spans))
    assert spans == find_spans(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["9", "a", "A ", "1 ", "@", "1-(", "a:", "1.", "A1"])
def test_a_huge_cell_costs_linear_time(unit: str) -> None:
    find_spans(unit * 100_000)


def test_a_span_does_not_hold_the_text_it_points_to() -> None:
    assert "98765" not in repr(find_spans("call 98765 43210"))


def test_a_vehicle_of_a_real_district_is_found_for_certain_and_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a recogniser opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (real,) = find_spans("came in MH 12 AB 1234 today")
    (unknown,) = find_spans("came in MH 99 AB 1234 today")
    assert (real.entity, unknown.entity) == (Entity.VEHICLE_NUMBER, Entity.VEHICLE_NUMBER)
    assert unknown.score < CERTAIN <= real.score


@pytest.mark.parametrize("gap", ["\n", "\r\n", " \n", "\u200b", "\u200d", "\u202c", "\u00ad"])
def test_a_number_broken_over_lines_or_by_signs_that_are_not_seen_is_found_where_it_is_certain(gap: str) -> None:
    number = f"2341{gap}2341{gap}2346"
    assert (Entity.AADHAAR, number) in found(f"seen {number} there")


def test_numbers_of_two_lines_are_two() -> None:
    assert [name for _, name in found("98765 43210\n12 Lake Road")] == ["98765 43210", "12 Lake Road"]


def test_of_two_readings_of_equal_score_the_earlier_detectors_holds() -> None:
    assert found("it is 040 379 2455") == [(Entity.PHONE, "040 379 2455")]


def test_where_two_candidates_overlap_no_character_of_either_is_left_over() -> None:
    text = "seen 2341 2341 2346 77665 there"
    (span,) = find_spans(text)
    assert (span.entity, text[span.start : span.end]) == (Entity.AADHAAR, "2341 2341 2346 77665")


@pytest.mark.parametrize(
    "text",
    [
        "order no 234123412345 shipped", "batch 12345678 expired", "product code 8901030865123 sold",
        "UTR 405612345671", "next appointment 12-06-2024", "Invoice no. 2024-001234", "seen 2024-05-12",
        "tracking no 9400110200881234567890",
    ],
)  # fmt: skip
def test_numbers_of_things_and_dates_stay_readable(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("order no 2341 2341 2346", Entity.AADHAAR), ("Invoice #4111111111111111", Entity.CARD),
        ("bank ticket 9876543210", Entity.PHONE),
    ],
)  # fmt: skip
def test_the_number_of_a_thing_that_passes_a_check_is_masked_and_never_certain(text: str, entity: Entity) -> None:
    (span,) = [span for span in find_spans(text) if text[span.start].isdigit()]
    assert span.score < CERTAIN
    assert certain_entities(text) == frozenset()
    assert certain_entities(text.split()[-1] if entity is not Entity.AADHAAR else text[-14:]) == {entity}


def test_a_number_behind_a_thing_of_another_sentence_is_a_persons() -> None:
    assert certain_entities("order came late, aadhaar 2341 2341 2346") == {Entity.AADHAAR}
    assert certain_entities("invoice sent to 98765 43210") == {Entity.PHONE}
