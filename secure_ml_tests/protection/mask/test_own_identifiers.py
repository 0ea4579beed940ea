import pytest

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.own_identifiers import SearchedText


def hidden(text: str, value: str, entity: Entity) -> str:
    """The text with a star for each character that was found."""
    found = {at for start, end in SearchedText(text).find(value, entity) for at in range(start, end)}
    return "".join("*" if at in found else character for at, character in enumerate(text))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("spoke to Meera Kulkarni today", "spoke to ************** today"),
        ("spoke to MEERA kulkarni today", "spoke to ************** today"),
        ("Kulkarni,Meera: absent", "********,*****: absent"),
        ("Meera   Kulkarni's shop", "*****   ********'s shop"),
        ("meera called", "***** called"),
        ("(Meera)", "(*****)"),
        ("M\u00a0Kulkarni", "M\u00a0********"),
    ],
)
def test_a_name_is_found_whole_and_by_its_words_in_any_case(text: str, seen: str) -> None:
    assert hidden(text, "Meera Kulkarni", Entity.PERSON_NAME) == seen


@pytest.mark.parametrize(
    "text", ["Meerabai came", "a kulkarnish remark", "Asha Rao came", "K. came", "the shop of Mee"]
)
def test_a_longer_word_and_another_persons_name_are_left(text: str) -> None:
    assert hidden(text, "Meera Kulkarni", Entity.PERSON_NAME) == text


@pytest.mark.parametrize("title", ["Smt", "Mrs", "late", "shri", "the", "and"])
def test_a_title_is_no_name(title: str) -> None:
    text = f"{title.lower()} customer paid"
    assert hidden(text, f"{title} Meera", Entity.PERSON_NAME) == text


def test_initials_and_words_of_two_letters_are_too_common_to_be_looked_for() -> None:
    assert hidden("go by bus to Meera", "B. Go Meera", Entity.PERSON_NAME) == "go by bus to *****"


def test_letters_of_other_scripts_are_found_too() -> None:
    assert hidden("\u0906\u0936\u093e came", "\u0906\u0936\u093e", Entity.PERSON_NAME) == "*** came"


def test_a_letter_that_lower_case_makes_two_shifts_nothing() -> None:
    # Capital I with a dot above is two characters in lower case.
    assert hidden("\u0130\u0130 saw Meera here", "Meera", Entity.PERSON_NAME) == "\u0130\u0130 saw ***** here"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("write to Meera.K@Mail.Example please", "write to ******************** please"),
        ("meera.k@mail.example, evenings", "********************, evenings"),
    ],
)
def test_an_email_is_found_in_any_case(text: str, seen: str) -> None:
    assert hidden(text, "meera.k@mail.example", Entity.EMAIL) == seen


@pytest.mark.parametrize("text", ["asha@mail.example", "xmeera.k@mail.example", "meera.k@mail.examples"])
def test_another_persons_email_is_left(text: str) -> None:
    assert hidden(text, "meera.k@mail.example", Entity.EMAIL) == text


@pytest.mark.parametrize("stored", ["9876543210", "+91 98765 43210", "098765-43210", "0091 9876543210"])
@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("call 9876543210 now", "call ********** now"),
        ("call 98765 43210 now", "call *********** now"),
        ("call (98765)-43210 now", "call (************ now"),
        ("call 98 76.54 32 10 now", "call ************** now"),
        ("call 98765\n43210 now", "call *********** now"),
        ("call 98765\u200d43210 now", "call *********** now"),
        ("call \u202e98765\u200b43210 now", "call \u202e*********** now"),
        ("call +91-98765-43210 now", "call +91-*********** now"),
        ("call \u096f\u096e\u096d\u096c\u096b\u096a\u0969\u0968\u0967\u0966 now", "call ********** now"),
    ],
)
def test_a_telephone_number_is_found_however_it_is_grouped(stored: str, text: str, seen: str) -> None:
    assert hidden(text, stored, Entity.PHONE) == seen


@pytest.mark.parametrize(
    "text",
    ["call 9876543211 now", "98765 rupees and 43210 more", "9876 owes 543210", "no digits", "12345", "98765x43210"],
)
def test_another_number_and_digits_of_several_numbers_are_left(text: str) -> None:
    assert hidden(text, "9876543210", Entity.PHONE) == text


@pytest.mark.parametrize("entity", [Entity.AADHAAR, Entity.ACCOUNT_NUMBER, Entity.CARD])
def test_long_numbers_are_found_however_they_are_grouped(entity: Entity) -> None:
    assert hidden("id 2341-2341 2346.", "234123412346", entity) == "id **************."
    assert hidden("id 2341-2341 2347.", "234123412346", entity) == "id 2341-2341 2347."


def test_a_number_of_five_digits_is_any_number() -> None:
    assert hidden("paid 12345 rupees", "1 23 45", Entity.ACCOUNT_NUMBER) == "paid 12345 rupees"


def test_an_address_is_found_whole_and_part_by_part() -> None:
    address = "12 Lake Road, Kothrud; Pune"
    assert hidden("visited 12 lake road and KOTHRUD", address, Entity.POSTAL_ADDRESS) == (
        "visited ************ and *******"
    )
    assert hidden("visited 13 Lake Roads in Kothrudi", address, Entity.POSTAL_ADDRESS) == (
        "visited 13 Lake Roads in Kothrudi"
    )


@pytest.mark.parametrize(("value", "seen"), [("AB-77", "ref *****, ref AB-777"), ("AB7", "ref AB-77, ref AB-777")])
def test_any_other_identifier_is_found_as_it_stands_unless_it_is_short(value: str, seen: str) -> None:
    assert hidden("ref AB-77, ref AB-777", value, Entity.RECORD_ID) == seen


def test_every_place_is_found_and_one_text_serves_many_rows() -> None:
    text = SearchedText("Meera and Asha; Asha and Meera")
    assert list(text.find("Asha", Entity.PERSON_NAME)) == [(10, 14), (16, 20), (10, 14), (16, 20)]
    assert {end - start for start, end in text.find("Meera", Entity.PERSON_NAME)} == {5}
    assert list(text.find("", Entity.PERSON_NAME)) == []
