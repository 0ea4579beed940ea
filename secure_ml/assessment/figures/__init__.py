"""The evaluation as pictures for people who decide: each small, self-explaining, and made from published figures only.

Belongs here: drawing, one kind of picture a module. Must stay out: any figure that is not in the evaluation.
"""

import re

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.figures.canvas import MAXIMUM_BYTES
from secure_ml.assessment.figures.explanation import explanation_picture
from secure_ml.assessment.figures.groups import groups_picture
from secure_ml.assessment.figures.performance import calibration_picture, roc_picture
from secure_ml.assessment.figures.periods import periods_picture

__all__ = ["MAXIMUM_BYTES", "draw"]


_NAME_LENGTH = 48


def draw(evaluation: Evaluation) -> dict[str, bytes]:
    """PNG pictures by file name: ROC, calibration, periods, one for each protected attribute, explanation.

    A picture whose figures are all suppressed says so.

    Raises:
        AssessmentError: a picture came out larger than `MAXIMUM_BYTES`.
    """
    pictures = {
        "roc.png": roc_picture(evaluation.performance),
        "calibration.png": calibration_picture(evaluation.performance),
        "over_time.png": periods_picture(evaluation.temporal),
    }
    for compared in evaluation.fairness:
        name = "fairness_" + re.sub(r"[^a-z0-9_-]", "_", compared.attribute.lower())[:_NAME_LENGTH]
        while f"{name}.png" in pictures:
            name += "_"
        pictures[f"{name}.png"] = groups_picture(compared)
    pictures["explanation.png"] = explanation_picture(evaluation.explanation)
    return pictures
