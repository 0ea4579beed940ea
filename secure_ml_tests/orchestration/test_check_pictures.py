"""A check's picture goes from the assessor's process to the page, and is not part of the signed facts."""

import base64

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.assessment.figures.class_sizes import class_sizes_picture
from secure_ml.orchestration.assessor import Judged, _judged, _judgement
from secure_ml.orchestration.checks.assessment import Judgement, _result
from secure_ml.orchestration.keys import asset_key
from secure_ml_tests.assessment.figures.test_class_sizes import CONTROL, classes

PICTURE = class_sizes_picture(classes(50, 60), k=5, control=CONTROL)
FOUND = Judgement("anonymity", True, "in order", facts={"k": 50}, pictures={"class_sizes.png": PICTURE})


def test_a_picture_survives_the_socket() -> None:
    sent = Judged.model_validate_json(_judged(FOUND, 7).model_dump_json())
    assert _judgement(sent) == FOUND


def test_a_picture_is_shown_beside_the_facts() -> None:
    result = _result(asset_key("training", "clinic", Stage.MASKED), FOUND, "v", 7)
    assert result.metadata["k"] == dg.MetadataValue.int(50)
    shown = result.metadata["class_sizes.png"]
    assert isinstance(shown, dg.MarkdownMetadataValue)
    assert base64.b64encode(PICTURE).decode() in str(shown.value)
