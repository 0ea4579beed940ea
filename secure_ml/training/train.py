"""The training of one project: the budget is charged first, then the model and its backtest are fitted.

Belongs here: the order of charge and fits. Must stay out: the ledger's database (a port) and storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.access.stages import PERIOD
from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.privacy.charge import Charge
from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators.port import Estimator, PrivacyLoss, TrainedModel
from secure_ml.training.estimators.select import estimator_for
from secure_ml.vault.dataset import Dataset


class ChargeBudget(Protocol):
    """Charges the project's budget durably; raises when it would be overspent."""

    def __call__(self, *, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        """Returns once the charge stands."""
        ...


@dataclass(frozen=True)
class Training:
    """What one training made.

    Attributes:
        model: the candidate, learned from all periods.
        backtest: the model of the earlier periods, which the later ones try; None where the policy asks for none.
        held_out: the later periods.
        charge: the budget's proof; None without privacy.
    """

    model: TrainedModel
    backtest: TrainedModel | None
    held_out: tuple[str, ...]
    charge: Charge | None


def train(
    training_side: Dataset,
    policy: Policy,
    *,
    periods: Sequence[str],
    subject_key: bytes,
    charge: ChargeBudget,
    estimator: Estimator | None = None,
) -> Training:
    """Charges the whole cost at once, then fits the model and its backtest.

    The charge covers both fits, so that a budget that allows only one of them is refused before anything is learned.
    It is not given back when a fit fails.

    Args:
        training_side: the split's rows of the train side, and no other.
        policy: names the algorithm, its loss and the backtest.
        periods: all periods of the split in time order.
        subject_key: at least 32 bytes.
        charge: the ledger, bound to the project, actor and run.
        estimator: the policy's own by default.

    Raises:
        BudgetExhausted: the budget does not allow it.
        TrainingError: policy and table do not fit together.
    """
    chosen = estimator_for(policy.training.estimator) if estimator is None else estimator
    held_out = held_out_periods(policy, periods)
    settings = policy.training.estimator
    loss = backtest_loss = proof = None
    if isinstance(settings, DpAdditive):
        loss = PrivacyLoss(settings.epsilon, settings.delta)
        cost, what = loss, "training"
        if policy.training.backtest is not None and policy.training.backtest.epsilon is not None:
            backtest_loss = PrivacyLoss(policy.training.backtest.epsilon, settings.delta)
            cost = PrivacyLoss(loss.epsilon + backtest_loss.epsilon, loss.delta + backtest_loss.delta)
            what = "training and backtest"
        proof = charge(epsilon=cost.epsilon, delta=cost.delta, description=what)
    model = chosen.fit(training_side, policy=policy, subject_key=subject_key, privacy_loss=loss)
    backtest = None
    if held_out:
        earlier = before(training_side, held_out)
        backtest = chosen.fit(earlier, policy=policy, subject_key=subject_key, privacy_loss=backtest_loss)
    return Training(model, backtest, held_out, proof)


def held_out_periods(policy: Policy, periods: Sequence[str]) -> tuple[str, ...]:
    """The latest periods, which the backtest's model must not see; none where the policy asks for no backtest.

    Raises:
        TrainingError: no earlier period would be left.
    """
    if policy.training.backtest is None:
        return ()
    count = policy.training.backtest.periods
    if len(periods) <= count:
        raise TrainingError(
            f"the backtest holds out {count} periods and there are {len(periods)}: materialise earlier partitions, or "
            "lower training.backtest.periods"
        )
    return tuple(periods[-count:])


def before(dataset: Dataset, held_out: Sequence[str]) -> Dataset:
    """The rows of a split outside the held-out periods."""
    later = pa.array(held_out, pa.string())
    return dataset.where(lambda periods: pc.invert(pc.is_in(periods, later)), reads=(PERIOD,))
