"""Names, places, addresses and organisations by the dictionary and by context."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.lexicon import COMMON, COUNTRY, FAMILY, GIVEN, PLACE, lexicon
from secure_ml.protection.classify.names import INTRODUCED, KNOWN, UNKNOWN, find_names

PERSON, PLACE_, ADDRESS, ORGANISATION = Entity.PERSON_NAME, Entity.PLACE, Entity.POSTAL_ADDRESS, Entity.EMPLOYER


PIECES = [
    *(
        "Tamara",
        "Olsen",
        "Chicago",
        "Road",
        "12",
        "St.",
        "Mr.",
        "Ltd.",
        "in",
        "at",
        "van",
        "will",
        "is",
        "name",
        "New York",
    ),
    *(" ", " ", " ", ",", "\n", "'s", "-", ".", "\u00e9", "\u0930\u093e"),
]


def found(text: str) -> list[tuple[Entity, str]]:
    spans = sorted(find_names(fold(text)), key=lambda span: span.start)
    return [(span.entity, text[span.start : span.end]) for span in spans]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Tamara agreed", ["Tamara"]),
        ("Dr. A. Zwibbleford advised rest", ["Dr. A. Zwibbleford"]),
        ("J. R. Zwibbleford is here", ["J. R. Zwibbleford"]),
        ("co-borrower S. Tamara", ["S. Tamara"]),
        ("d.o.b. 1990-03-25 mismatch, plan b. 12345", []),
        ("dr. a. zwibbleford, borrower k. olsen", ["dr. a. zwibbleford", "k. olsen"]),
        ("holder d/o zwibble fandango, w/o collateral", ["zwibble fandango"]),
        ("A K Olsen retired", ["A K Olsen"]),
        ("customer tamara olsen s/o om patil of Chicago", ["tamara olsen", "om patil"]),
        ("w/o Zwibble, d/o Fandango", ["Zwibble", "Fandango"]),
        ("met Tamara & Zwibble at noon", ["Tamara", "Zwibble"]),
        ("spoke to rajesh and deepak, sunil came", ["rajesh", "deepak", "sunil"]),
        ("spoke to tamara olsen today", ["tamara olsen"]),
        ("SPOKE TO TAMARA OLSEN TODAY", ["TAMARA OLSEN"]),
        ("Dear Mr. Zwibbleford, welcome", ["Mr. Zwibbleford"]),
        ("my name is zwibbleford", ["zwibbleford"]),
        ("Name: Zwibble O'Fandango", ["Zwibble O'Fandango"]),
        ("the file of Heidi van der Vlist was closed", ["Heidi van der Vlist"]),
        ("met Tamara's brother", ["Tamara"]),
        ("Spoke to Paris, who agreed", ["Paris"]),
        ("Tamara J. Olsen Jr. signed", ["Tamara J. Olsen Jr"]),
        ("Zwibbleford, can you call back?", ["Zwibbleford"]),
        ("Will Zwibbleford pay", ["Will Zwibbleford"]),
        ("guarantor s/o Late Shri Ramesh Patil", ["Late Shri Ramesh Patil"]),
        ("Jean-Pierre came, then Anna-Maria", ["Jean-Pierre", "Anna-Maria"]),
        ("आशा कुलकर्णी से बात हुई", ["आशा कुलकर्णी"]),
        ("श्री राम मोहन", ["श्री राम मोहन"]),
        ("звонил Иван Петров, просит отсрочку", ["Иван Петров"]),
        ("تحدثت مع محمد علي عن القرض", ["محمد علي"]),
        ("\u202bمحمد علي\u202c came", ["محمد علي"]),
        ("told Mikuli\u0107 and Mikulic\u0301", ["Mikuli\u0107", "Mikulic\u0301"]),
    ],
)
def test_people(text: str, names: list[str]) -> None:
    assert [name for entity, name in found(text) if entity is PERSON] == names


@pytest.mark.parametrize(
    ("text", "entity", "name"),
    [
        ("moved to Chicago last year", PLACE_, "Chicago"),
        ("she lives in pune now", PLACE_, "pune"),
        ("from papua new guinea", PLACE_, "papua new guinea"),
        ("Kenya was super fun", PLACE_, "Kenya"),
        ("arrived at Zwibblehausen", PLACE_, "Zwibblehausen"),
        ("at 12 Lake Road, Springfield, IL 62704 since May", ADDRESS, "12 Lake Road, Springfield, IL 62704"),
        ("flat no 12, shanti niketan society, baner road, pune 411045", ADDRESS, None),
        ("46 Via Raffaele Conforti 74\nApt. 239\nBisegna\nSaudi Arabia 65001", ADDRESS, None),
        ("Hauptstrasse 7, 10115 Berlin", ADDRESS, None),
        ("P.O. Box 101", ADDRESS, None),
        ("rue de la Paix 3, Paris", ADDRESS, None),
        ("works for Datum Solutions Ltd. as a clerk", ORGANISATION, "Datum Solutions Ltd"),
        ("salary from infosys ltd", ORGANISATION, "infosys ltd"),
        ("the Department of Better Roads wrote", ORGANISATION, "Department of Better Roads"),
        ("a year at Zwibbletech as an assistant", ORGANISATION, "Zwibbletech"),
        ("c/o H.No. 12-4-56, Gandhi Nagar, Hyderabad 500080", ADDRESS, "H.No. 12-4-56, Gandhi Nagar, Hyderabad 500080"),
        ("at Plot No 45, Sector 12, New Delhi - 110075", ADDRESS, "Plot No 45, Sector 12, New Delhi - 110075"),
    ],
)
def test_places_addresses_and_organisations(text: str, entity: Entity, name: str | None) -> None:
    assert found(text) == [(entity, name or text)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call 481 7531 now", "481 7531"),
        ("they're not answering at 329 7730", "329 7730"),
        ("Phone: 33 93 31", "33 93 31"),
        ("my mobile number is 481-7531.", "481-7531"),
        ("ring me on 4817531", "4817531"),
    ],
)
def test_a_short_telephone_number_is_found_where_it_is_announced(text: str, number: str) -> None:
    assert found(text) == [(Entity.PHONE, number)]


@pytest.mark.parametrize(
    "text",
    ["call about 481 7531", "order 481 7531", "call at 10", "call 12345", "phone 500 of 4000", "file 481 7531 phone"],
)
def test_a_short_number_that_is_not_announced_is_any_number(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "customer requested part prepayment of 50000, advised charges apply",
        "Home Loan top-up sanctioned; KYC pending, PAN verified. CIBIL score 742.",
        "Documents complete. Property papers verified by the legal team on Monday.",
        "income 1200000, emi 12000, tenure 24 months",
        "Paid 2 EMI 3 months late, by NEFT and RTGS",
        "Will call back in March. Mark as closed.",
        "borrower may grant access, hope to close in june",
        "The borrower's business is seasonal and income fell in the monsoon",
        "Sent reminder via SMS and email. No response till date.",
        "", " ", "\n\n", "...", "'s", "-", "a", "A", "Mr", "dear", "p o box", "at", "of", "12", "\u200d",
    ],
)  # fmt: skip
def test_words_of_remarks_are_left(text: str) -> None:
    assert found(text) == []


def test_what_the_text_presents_is_surer_than_the_dictionary_and_that_than_a_stranger() -> None:
    scores = [find_names(text)[0].score for text in ("dear tamara", "with Tamara", "with Zwibbleford")]
    assert scores == [INTRODUCED, KNOWN, UNKNOWN]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_spans_lie_in_the_text_and_do_not_overlap(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = sorted(find_names(text), key=lambda span: span.start)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in itertools.pairwise(spans))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    find_names(fold(text))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "Tamara ",
        "tamara olsen ",
        "12 Lake Road, ",
        "1 ",
        "van ",
        "Mr. ",
        "New ",
        "Ltd ",
        "x",
        "-",
        "A-",
        "'s ",
        "1-",
        "\n",
    ],
)
def test_a_cell_of_a_megabyte_costs_linear_time(unit: str) -> None:
    find_names(unit * (1_000_000 // len(unit)))


def test_the_dictionary_knows_names_of_many_scripts_and_the_words_that_are_no_names() -> None:
    words = lexicon().words
    assert words["tamara"] & GIVEN
    assert words["olsen"] & FAMILY
    assert words["आशा"] & GIVEN
    assert words["петров"] & FAMILY
    assert words["bahrain"] & COUNTRY
    assert words["pune"] & PLACE
    assert all(words[word] & COMMON for word in ("will", "may", "mark", "account"))
