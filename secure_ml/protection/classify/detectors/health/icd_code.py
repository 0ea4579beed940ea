"""ICD-10 and ICD-10-CM codes of diagnoses: a chapter's letter, two characters, up to four more (WHO, NCHS).

A quasi-identifier: a rare diagnosis points to a person, a common one does not.
"""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import TextForm
from secure_ml.protection.classify.strict_detector import StrictDetector

_CODE = r"[A-Z][0-9][0-9AB](?:\.?[0-9A-Z]{1,4})?"
# Categories of chapters whose codes stand alone: V to Y are causes beside a diagnosis, and "V10.2" is a version. One in
# eight letters with two digits is no category, which tells codes of shelves and batches from a column of diagnoses.
_CATEGORIES = {
    "A": "00-09 15-28 30-44 46 48-60 63-71 74-75 77-99",
    "B": "00-10 15-27 30 33-60 64-83 85-92 94-99",
    "C": "00-26 30-34 37-41 43-58 60-86 88 90-97",
    "D": "00-07 09-53 55-78 80-84 86 89",
    "E": "00-16 20-32 34-36 40-46 50-56 58-61 63-68 70-80 83-90",
    "F": "00-07 09-25 28-34 38-45 48 50-55 59-66 68-73 78-84 88-95 98-99",
    "G": "00-14 20-26 30-32 35-37 40-41 43-47 50-65 70-73 80-83 89-99",
    "H": "00-06 10-11 13 15-22 25-28 30-36 40 42-55 57-62 65-75 80-83 90-95",
    "I": "00-02 05-13 15-16 20-28 30-52 60-89 95-99",
    "J": "00-06 09-18 20-22 30-47 60-70 80-82 84-86 90-96 98-99",
    "K": "00-14 20-23 25-31 35-38 40-46 50-52 55-68 70-77 80-83 85-87 90-95",
    "L": "00-05 08 10-14 20-30 40-45 49-60 62-68 70-76 80-95 97-99",
    "M": "00-27 30-36 40-43 45-51 53-54 60-63 65-68 70-73 75-77 79-97 99",
    "N": "00-08 10-23 25-37 39-53 60-65 70-77 80-99",
    "O": "00-16 20-26 28-36 40-48 60-77 80-92 94-99",
    "P": "00-05 07-15 19-29 35-39 50-61 70-72 74-78 80-81 83-84 90-96",
    "Q": "00-07 10-18 20-28 30-45 50-56 60-87 89-93 95-99",
    "R": "00-07 09-23 25-27 29-37 39-65 68-99",
    "S": "00-99",
    "T": "00-71 73-76 78-88 90-98",
    "U": "04 07-12 82-85",
    "Z": "00-05 08-99",
}
# Categories without a decimal that are common; others without one are as often seats and sizes.
_WHOLE = "B20|C61|D45|G35|I10|J00|J13|J40|K36|N19|R05|R17|R51|R64|Z21|Z23"


def _two_digits(ranges: str) -> str:
    numbers = set[int]()
    for part in ranges.split():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    tens = {ten: "".join(str(n % 10) for n in sorted(numbers) if n // 10 == ten) for ten in range(10)}
    return "|".join(f"{ten}[{ones}]" for ten, ones in tens.items() if ones)


_KNOWN = re.compile(
    rf"(?:(?:{'|'.join(f'{letter}(?:{_two_digits(ranges)})' for letter, ranges in _CATEGORIES.items())}"
    rf"|C4A|C7[AB]|D3A|I[15]A|J4A|M1A|O9A|Z3A)\.[0-9X][0-9A-Z]{{0,3}}|{_WHOLE})(?:[ :(-].*)?"
)


def is_known_with_decimal(value: str) -> bool:
    """Say whether it is a code with its decimal in a category that there is, in capitals; "A12" is as often a seat."""
    return bool(_KNOWN.fullmatch(value))


DETECTOR = StrictDetector(
    entity=Entity.ICD_CODE,
    category=Category.HEALTH,
    identifiability=Identifiability.QUASI,
    pattern=rf"{_CODE}(?: ?[:(-] ?.+| .+)?",
    longest=200,
    kinds=frozenset({Kind.TEXT}),
    check=is_known_with_decimal,
    check_all=expressions.whole(_KNOWN),
    # So that three different codes are needed; how many pass by chance depends on the letters.
    chance=0.05,
    context=(
        "icd ?(?:9|10|11)?(?: ?cm)?(?: ?codes?)?",
        "(?:primary |secondary |admitting |principal )?(?:diag(?:nos[ie]s)?|dx)(?: ?codes?)?(?: ?[0-9]{1,2})?",
        "dgns ?cd(?: ?[0-9]{1,2})?",
        "(?:disease|condition) ?codes?",
    ),
    not_context=("count", "date", "version", "tool", "diagonal"),
    least_valid=0.92,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(
        pattern=r"[A-TZ][0-9][0-9AB]\.[0-9X][0-9A-Z]{0,3}", case_sensitive=True, validated_score=0.5,
        before=("icd", "icd-10", "diagnosis", "diagnosed", "dx"),
    ),
)  # fmt: skip
