"""Indian vehicle registrations: state, district, series, number; presidio-analyzer knows the districts there are."""

from functools import cache
from typing import TYPE_CHECKING

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

if TYPE_CHECKING:
    from presidio_analyzer.predefined_recognizers import InVehicleRegistrationRecognizer

_PATTERN = r"[A-Z]{2}[ -]?[0-9]{1,2}[ -]?[A-Z](?:[ -]?[A-Z]){0,2}[ -]?[0-9]{4}"


def is_of_a_district(value: str) -> bool:
    """Say whether a value of that shape begins with a state and a district that register vehicles."""
    return bool(_recognizer().validate_result(value.upper()))


@cache
def _recognizer() -> "InVehicleRegistrationRecognizer":
    # Presidio brings its language tools along: they are loaded for the first value of the shape, if one ever comes.
    from presidio_analyzer.predefined_recognizers import InVehicleRegistrationRecognizer

    return InVehicleRegistrationRecognizer()


DETECTOR = PatternDetector(
    entity=Entity.VEHICLE_NUMBER,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    kinds=frozenset({Kind.TEXT}),
    check=is_of_a_district,
    chance=0.05,
    context=("vehicle", "vehicle ?(?:no|num|number|registration|reg)", "(?:number|licen[cs]e) ?plate"),
    not_context=("type", "class", "make", "model", "value", "price", "loan", "age", "year", "count"),
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_PATTERN, case_sensitive=True, score=0.3),
)
