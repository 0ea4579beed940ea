import numpy as np
import pyarrow as pa
import pytest

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.explanation import Curve, Explanation, explain_by_curves, explain_by_permutation
from secure_ml.assessment.records import SUPPRESSED
from secure_ml.assessment.scored import Scored
from secure_ml_tests.assessment.people import CONTROL


def _predict(batch: pa.RecordBatch) -> np.ndarray:
    strong, weak = batch["strong"].to_numpy(), batch["weak"].to_numpy()
    return 1 / (1 + np.exp(-(2 * strong + 0.5 * weak)))


def _features(rows: int = 2000) -> pa.Table:
    generator = np.random.default_rng(4)
    return pa.table({name: generator.normal(size=rows) for name in ("unused", "weak", "strong")})


def _scored(features: pa.Table) -> Scored:
    score = _predict(features.to_batches()[0])
    label = np.random.default_rng(5).random(len(score)) < score
    return Scored(label, score, None, np.full(len(score), "a"), {})


def _explain(features: pa.Table, scored: Scored, *, repeats: int = 3) -> Explanation:
    return explain_by_permutation(
        _predict, features, scored, control=CONTROL, repeats=repeats, generator=np.random.default_rng(6)
    )


def test_curves_stand_in_the_order_of_their_reach() -> None:
    curves = {
        "short": Curve("short", ("a", "b"), (0.1, -0.1)),
        "long": Curve("long", ("a", "b", "other"), (2.00049, -1.0, 0.0)),
    }
    explanation = explain_by_curves(curves)
    assert [i.feature for i in explanation.importances] == ["long", "short"]
    assert explanation.importances[0].value == 3.0
    assert explanation.curves[0] == Curve("long", ("a", "b", "other"), (2.0, -1.0, 0.0))


@pytest.mark.parametrize(
    ("labels", "contributions"), [((), ()), (("a",), (1.0, 2.0)), (("a",), (float("nan"),)), (("a",), (float("inf"),))]
)
def test_a_broken_curve_is_refused(labels: tuple[str, ...], contributions: tuple[float, ...]) -> None:
    with pytest.raises(AssessmentError, match="curve of income"):
        Curve("income", labels, contributions)


def test_a_curve_under_another_name_is_refused() -> None:
    with pytest.raises(AssessmentError, match="curve for each feature"):
        explain_by_curves({"income": Curve("age", ("a",), (1.0,))})
    with pytest.raises(AssessmentError, match="curve for each feature"):
        explain_by_curves({})


def test_permutation_ranks_features_by_what_they_are_worth() -> None:
    features = _features()
    explanation = _explain(features, _scored(features))
    strong, weak, unused = explanation.importances
    assert (strong.feature, weak.feature, unused.feature) == ("strong", "weak", "unused")
    assert unused.value == unused.spread == 0
    assert strong.value > 0.2 > weak.value > 0
    assert explanation.curves == ()


def test_permutation_agrees_with_scikit_learn() -> None:
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LogisticRegression

    features = _features()
    X, label = features.to_pandas().to_numpy(), _scored(features).label
    model = LogisticRegression().fit(X, label)
    theirs = permutation_importance(model, X, label, scoring="roc_auc", n_repeats=5, random_state=1).importances_mean

    def predict(batch: pa.RecordBatch) -> np.ndarray:
        probability: np.ndarray = model.predict_proba(batch.to_pandas().to_numpy())[:, 1]
        return probability

    scored = Scored(label, predict(features.to_batches()[0]), None, np.full(len(label), "a"), {})
    ours = explain_by_permutation(
        predict, features, scored, control=CONTROL, repeats=5, generator=np.random.default_rng(6)
    )
    for importance in ours.importances:
        place = features.column_names.index(importance.feature)
        assert importance.value == pytest.approx(theirs[place], abs=0.02)


def test_few_people_suppress_the_importances() -> None:
    features = _features(25)
    assert _explain(features, _scored(features)).importances == SUPPRESSED


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(AssessmentError, match="features of the scored rows"):
        _explain(_features(100), _scored(_features(99)))
    with pytest.raises(AssessmentError, match="at least one repeat"):
        _explain(_features(100), _scored(_features(100)), repeats=0)
