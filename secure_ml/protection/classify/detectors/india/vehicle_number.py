"""Indian vehicle registrations: state, office, series, number, or the series BH (Central Motor Vehicles Rules)."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = (
    r"[A-Z]{2}[ -]?[0-9]{1,2}[ -]?[A-Z](?:[ -]?[A-Z]){0,2}[ -]?[0-9]{4}|[0-9]{2}[ -]?BH[ -]?[0-9]{4}[ -]?[A-Z]{1,2}"
)
# The highest number of an office in each state and union territory, as presidio-analyzer lists them; Andhra Pradesh
# went to 40 when it registered all under one, Telangana writes TS and TG, and UA is what Uttarakhand wrote until 2007.
_OFFICES = {
    "AN": 1, "AP": 40, "AR": 22, "AS": 34, "BR": 56, "CG": 30, "CH": 4, "DD": 3, "DL": 16, "DN": 9, "GA": 12, "GJ": 39,
    "HP": 99, "HR": 99, "JH": 24, "JK": 22, "KA": 71, "KL": 99, "LA": 2, "LD": 9, "MH": 58, "ML": 10, "MN": 7, "MP": 71,
    "MZ": 8, "NL": 10, "OD": 35, "OR": 31, "PB": 99, "PY": 5, "RJ": 58, "SK": 8, "TG": 38, "TN": 99, "TR": 8, "TS": 38,
    "UA": 15, "UK": 20, "UP": 96, "WB": 98,
}  # fmt: skip


def _numbers_to(highest: int) -> str:
    tens, ones = divmod(highest, 10)
    below = f"|[1-{tens - 1}][0-9]" if tens > 1 else ""
    return f"0?[1-9]{below}|{tens}[0-{ones}]" if tens else f"0?[1-{ones}]"


_OF_AN_OFFICE = re.compile(
    rf"(?:{'|'.join(f'{state}[ -]?(?:{_numbers_to(highest)})' for state, highest in _OFFICES.items())})"
    r"[ -]?[A-Z](?:[ -]?[A-Z]){0,2}[ -]?(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
    r"|(?:2[1-9]|[3-9][0-9])[ -]?BH[ -]?[0-9]{4}[ -]?[A-HJ-NP-Z]{1,2}",
    re.IGNORECASE,
)


def is_of_an_office(value: str) -> bool:
    """Say whether it begins with a state and an office that register vehicles, or is of the series BH (since 2021)."""
    return bool(_OF_AN_OFFICE.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.VEHICLE_NUMBER,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    kinds=frozenset({Kind.TEXT}),
    check=is_of_an_office,
    check_all=expressions.whole(_OF_AN_OFFICE),
    chance=0.05,
    context=("vehicle", "vehicle ?(?:no|num|number|registration|reg)", "(?:number|licen[cs]e) ?plate"),
    not_context=("type", "class", "make", "model", "value", "price", "loan", "age", "year", "count"),
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_PATTERN, case_sensitive=True, score=0.3),
)
