import numpy as np
import pytest

from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators.hist_gradient_boosting import BoostedModel, HistGradientBoostingEstimator
from secure_ml.training.estimators.port import NONE
from secure_ml_tests.training.people import BOOSTING, KEY, dataset, people, policy

RULE = policy(estimator=BOOSTING)


def _fit(table: list[dict[str, object]]) -> BoostedModel:
    return HistGradientBoostingEstimator().fit(dataset(table), policy=RULE, subject_key=KEY, privacy_loss=None)


def test_it_learns_what_is_there_and_says_that_it_gives_no_privacy() -> None:
    from sklearn.metrics import roc_auc_score

    model, test = _fit(people(3000)), people(2000, seed=3)
    predicted = model.predict_probability(next(dataset(test, batch=5000).scan()))
    assert roc_auc_score([row["paid"] == "yes" for row in test], predicted) > 0.88
    assert (model.facts.guarantee, model.facts.epsilon) == (NONE, "")
    assert model.facts.guarantee_reason == BOOSTING["no_privacy_reason"]
    assert model.explain() == {}


def test_an_unknown_category_and_missing_cells_are_predicted_alike() -> None:
    model = _fit(people(1000))
    row = people(1)[0]
    batch = next(dataset([{**row, "color": "never seen"}, {**row, "color": None}, {**row, "income": None}]).scan())
    predicted = model.predict_probability(batch)
    assert predicted[0] == predicted[1]
    assert np.isfinite(predicted).all()


def test_more_categories_than_the_library_bins_are_cut_to_the_most_frequent() -> None:
    table = [{**row, "color": f"c{i % 400}"} for i, row in enumerate(people(1200))]
    model = _fit(table)
    assert len(next(c for c in model.columns if c.name == "color").categories or ()) == 254


def test_no_rows_give_no_predictions() -> None:
    assert _fit(people(200)).predict_probability(next(dataset(people(1)).scan()).slice(0, 0)).shape == (0,)


@pytest.mark.parametrize("rows", [0, 20])
def test_one_outcome_only_is_refused(rows: int) -> None:
    with pytest.raises(TrainingError, match="one outcome"):
        _fit([{**row, "paid": "no"} for row in people(rows)])
