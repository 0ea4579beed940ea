import io
import re

import matplotlib.text
import numpy as np
import pytest
from PIL import Image

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.explanation import Curve, Explanation, Importance, explain_by_curves
from secure_ml.assessment.fairness import Group
from secure_ml.assessment.figures import MAXIMUM_BYTES, canvas, draw
from secure_ml.assessment.figures.explanation import explanation_picture
from secure_ml.assessment.figures.groups import groups_picture
from secure_ml.assessment.figures.performance import calibration_picture, roc_picture
from secure_ml.assessment.figures.periods import periods_picture
from secure_ml.assessment.records import SUPPRESSED, Estimate
from secure_ml_tests.assessment.people import scored
from secure_ml_tests.assessment.whole import evaluation

RATE = Estimate(value=0.4, low=0.3, high=0.5)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn."""
    texts: list[str] = []
    drawn = matplotlib.text.Text.draw

    def record(self: matplotlib.text.Text, renderer: object, *args: object, **named: object) -> None:
        if self.get_visible():
            texts.append(self.get_text())
        drawn(self, renderer, *args, **named)

    monkeypatch.setattr(matplotlib.text.Text, "draw", record)
    return texts


def _pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    return draw(evaluation())


def test_every_picture_is_a_png_of_at_most_sixty_kilobytes(pictures: dict[str, bytes]) -> None:
    assert set(pictures) == {"roc.png", "calibration.png", "over_time.png", "fairness_colour.png", "explanation.png"}
    for name, content in pictures.items():
        assert content.startswith(b"\x89PNG"), name
        assert 4_000 < len(content) <= MAXIMUM_BYTES, name
        assert min(_pixels(content).shape[:2]) >= 250, name


def test_the_same_record_gives_the_same_bytes(pictures: dict[str, bytes]) -> None:
    assert groups_picture(evaluation().fairness[0]) == pictures["fairness_colour.png"]


def test_attributes_with_like_names_do_not_overwrite_each_other() -> None:
    made = evaluation()
    (compared,) = made.fairness
    both = tuple(compared.model_copy(update={"attribute": name}) for name in ("Pin code", "pin/code", "ü" * 120))
    names = draw(made.model_copy(update={"fairness": both}))
    assert {"fairness_pin_code.png", "fairness_pin_code_.png"} <= set(names)
    assert all(re.fullmatch(r"[a-z0-9_-]{1,76}\.png", name) for name in names)


def test_the_fullest_pictures_stay_small_enough() -> None:
    names = [f"a group with quite a long name number {i}" for i in range(60)]
    groups = tuple(
        Group(group=name, rows=100 + i, subjects=100, **dict.fromkeys(list(Group.model_fields)[3:], RATE))
        for i, name in enumerate(names)
    )
    full = evaluation().fairness[0].model_copy(update={"groups": groups, "attribute": "cost $ of $ living / élan"})
    curve = Curve("f", tuple(f"from {i} to {i + 1}" for i in range(200)), tuple(np.sin(np.arange(200) / 9)))
    curves = {f"feature {i}": Curve(f"feature {i}", curve.labels, curve.contributions) for i in range(30)}
    assert len(groups_picture(full)) <= MAXIMUM_BYTES
    assert len(explanation_picture(explain_by_curves(curves))) <= MAXIMUM_BYTES


def test_a_picture_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "MAXIMUM_BYTES", 1000)
    with pytest.raises(AssessmentError, match="more than 1000"):
        roc_picture(evaluation().performance)


def test_texts_hold_no_small_group_and_say_what_is_hidden(written: list[str]) -> None:
    groups_picture(evaluation().fairness[0])
    text = "\n".join(written)
    assert "amber" in text
    assert "canary" not in text
    assert text.count(SUPPRESSED) == 3
    assert "too small to be named: 1" in text
    periods_picture(evaluation().temporal)
    assert "\n".join(written).count(SUPPRESSED) == 5


def test_a_hidden_group_has_no_bar() -> None:
    shown = Group(group="amber", rows=200, subjects=200, **dict.fromkeys(list(Group.model_fields)[3:], RATE))
    hidden = Group(group="blue", **dict.fromkeys(list(Group.model_fields)[1:], SUPPRESSED))

    def picture(other: Group) -> np.ndarray:
        return _pixels(groups_picture(evaluation().fairness[0].model_copy(update={"groups": (shown, other)})))

    both, one = (_blue(picture(other)) for other in (shown.model_copy(update={"group": "blue"}), hidden))
    assert one == pytest.approx(both / 2, rel=0.05)


def test_pictures_whose_figures_are_all_suppressed_say_so(written: list[str]) -> None:
    rows = scored(20, groups={"colour": {"amber": 0.5, "blue": 0.5}})
    made = evaluation(rows, backtest=False)
    for paint in (
        lambda: roc_picture(made.performance),
        lambda: calibration_picture(made.performance),
        lambda: periods_picture(made.temporal),
        lambda: groups_picture(made.fairness[0]),
        lambda: explanation_picture(Explanation(method="permutation", importances=SUPPRESSED, curves=())),
    ):
        written.clear()
        paint()
        assert any("suppressed" in text for text in written)


def test_importances_are_drawn_with_their_names(written: list[str]) -> None:
    importances = (Importance(feature="income", value=0.1, spread=0.01),)
    explanation_picture(Explanation(method="permutation", importances=importances, curves=()))
    assert "income" in written


def test_axes_are_labelled_in_words(written: list[str]) -> None:
    roc_picture(evaluation().performance)
    calibration_picture(evaluation().performance)
    for words in ("False-positive rate", "True-positive rate", "Mean score of a bin", "Share of positive outcomes"):
        assert words in written


def _blue(pixels: np.ndarray) -> int:
    red, green, blue = (pixels[..., i].astype(int) for i in range(3))
    return int(((blue > 150) & (red < 80) & (green > 90)).sum())
