"""Geographic coordinates (ISO 6709): a pair in one cell, or a column of latitudes or longitudes under such a name.

Three decimals are a hundred metres, four a house, so a home's coordinates point to its people. They are a
quasi-identifier all the same, since rounding them is the treatment, and direct identifiers may not be made coarser.
Those rounded to two decimals are no longer of the shape.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_LATITUDE = r"[+-]?(?:[1-8]?[0-9]\.[0-9]{3,17}|90\.0{3,17})"
_LONGITUDE = r"[+-]?(?:(?:1[0-7][0-9]|[1-9]?[0-9])\.[0-9]{3,17}|180\.0{3,17})"
_PAIR = rf"{_LATITUDE} ?[,;] ?{_LONGITUDE}"
_PRECISE_PAIR = re.compile(r"[^,;]+\.[0-9]{4,}[^,;]*[,;][^,;]+\.[0-9]{4,}\)?")
# The Gulf of Guinea: there is no land within four degrees of latitude and five of longitude of zero.
_AT_SEA = re.compile(r"^\(?[+-]?[0-3]\.[0-9]+ ?[,;] ?[+-]?[0-4]\.")


def is_precise_pair(value: str) -> bool:
    """Say whether it is a pair with at least four decimals, on land.

    With fewer decimals they are as often two prices or measurements; around zero, limits, shares and deviations.
    """
    return bool(_PRECISE_PAIR.fullmatch(value)) and not _AT_SEA.search(value)


def are_precise_pairs(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return expressions.whole(_PRECISE_PAIR)(values) & ~expressions.within(_AT_SEA)(values)


_OF = "(?:home|house|user|customer|geo|gps|current|residence|pickup|drop ?off|start|end|login|device)"

DETECTOR = PatternDetector(
    entity=Entity.GEO_COORDINATES,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=rf"\(?{_PAIR}\)?|(?:POINT ?\()?{_LONGITUDE} {_LATITUDE}\)?|{_LONGITUDE}",
    check=is_precise_pair,
    check_all=are_precise_pairs,
    context=(
        "lat(?:itude)?s?",
        "lng|longitudes?|lon",
        f"^long$|{_OF} long",
        "lat ?(?:long|lng|lon)",
        "geo(?: ?(?:location|point|code|tag|coordinates?|position))?",
        "gps(?: ?(?:location|coordinates?|position))?",
        "coordinates?",
        "coords?",
        f"{_OF} (?:location|position)",
    ),
    not_context=(
        "store", "stores", "shop", "branch", "warehouse", "merchant", "atm", "airport", "station", "depot", "port",
        "pixel", "image", "screen", "chart", "accuracy", "error", "count", "ms", "seconds",
    ),
    context_share=0.3,
    alone_share=0.5,
    ceiling_alone=0.85,
    text=TextForm(
        pattern=rf"{_LATITUDE} ?, ?{_LONGITUDE}",
        validated_score=0.7,
        before=("lat", "latitude", "gps", "coordinates", "location", "lat long"),
    ),
)  # fmt: skip
