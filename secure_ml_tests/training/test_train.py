from decimal import Decimal

import pytest

from secure_ml.access.stages import PERIOD
from secure_ml.policy.project import Policy
from secure_ml.privacy.ledger import BudgetExhausted, Charge, Spent
from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators.port import PrivacyLoss, TrainedModel
from secure_ml.training.split import split
from secure_ml.training.train import Training, train
from secure_ml.vault.dataset import Dataset
from secure_ml_tests.training.people import BOOSTING, KEY, dataset, people, policy

PERIODS = ("p1", "p2", "p3")


class Watched:
    """An estimator and a ledger that write down what is asked of them, in order."""

    def __init__(self, *, refuse: bool = False, crash: bool = False) -> None:
        self.calls: list[object] = []
        self._refuse, self._crash = refuse, crash

    def charge(self, *, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        if self._refuse:
            raise BudgetExhausted("spent")
        self.calls.append((epsilon, delta))
        return Charge("charge-1", "people", epsilon, delta, Spent(epsilon, delta), 1)

    def fit(
        self, train: Dataset, *, policy: Policy, subject_key: bytes, privacy_loss: PrivacyLoss | None
    ) -> TrainedModel:
        self.calls.append((train.read([PERIOD])[PERIOD].unique().to_pylist(), privacy_loss))
        if self._crash:
            raise RuntimeError
        return None


def _train(rule: Policy, watched: Watched) -> Training:
    made = split({period: dataset(people(50, seed=i)) for i, period in enumerate(PERIODS)}, rule, subject_key=KEY)
    return train(made, rule, periods=PERIODS, subject_key=KEY, charge=watched.charge, estimator=watched)


def test_the_whole_cost_is_charged_before_anything_is_learned() -> None:
    watched = Watched()
    made = _train(policy(backtest={"periods": 1, "epsilon": "0.5"}), watched)
    delta = Decimal("1e-6")
    assert watched.calls == [
        (Decimal("1.5"), 2 * delta),
        (["p1", "p2", "p3"], PrivacyLoss(Decimal(1), delta)),
        (["p1", "p2"], PrivacyLoss(Decimal("0.5"), delta)),
    ]
    assert made.held_out == ("p3",)
    assert made.charge is not None


def test_a_refused_charge_leaves_nothing_learned() -> None:
    watched = Watched(refuse=True)
    with pytest.raises(BudgetExhausted):
        _train(policy(), watched)
    assert watched.calls == []


def test_a_crash_in_training_leaves_the_charge() -> None:
    watched = Watched(crash=True)
    with pytest.raises(RuntimeError):
        _train(policy(), watched)
    assert watched.calls[0] == (Decimal(1), Decimal("1e-6"))


def test_without_privacy_nothing_is_charged() -> None:
    watched = Watched()
    made = _train(policy(estimator=BOOSTING, backtest={"periods": 2}), watched)
    assert watched.calls == [(["p1", "p2", "p3"], None), (["p1"], None)]
    assert made.charge is None


def test_a_backtest_that_leaves_no_earlier_period_is_refused_before_the_charge() -> None:
    watched = Watched()
    with pytest.raises(TrainingError, match="holds out 3 periods and there are 3"):
        _train(policy(backtest={"periods": 3, "epsilon": "0.5"}), watched)
    assert watched.calls == []


def test_a_real_training_from_split_to_both_models() -> None:
    rule = policy(backtest={"periods": 1, "epsilon": "0.5"})
    made = split({period: dataset(people(80, seed=i)) for i, period in enumerate(PERIODS)}, rule, subject_key=KEY)
    result = train(made, rule, periods=PERIODS, subject_key=KEY, charge=Watched().charge)
    assert result.backtest is not None
    assert (result.model.facts.epsilon, result.backtest.facts.epsilon) == ("1", "0.5")
