"""A private additive model on the policy's bins and categories, trained by noisy sums.

Belongs here: the private estimator. Must stay out: the mechanism's arithmetic (privacy, clipped_sums), and any look at
the data that is not one of the stated releases.

Mechanism. Every row is a one-hot vector of public norm. One noisy count of rows and `rounds` noisy sums of clipped
gradients are all that is ever released; the optimiser's steps, their size and the averaging see only those. Under
addition or removal of one unit (its one row), a sum changes by a vector of squared norm at most `sensitivity_squared`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.privacy.charge import scientific
from secure_ml.privacy.noise import Integers, NoisySum, OpenDpSampler, Sampler
from secure_ml.training.columns import outcome
from secure_ml.training.encoding import Encoding
from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators.clipped_sums import GRADIENT_UNITS, LOGIT_UNITS, ClippedRows
from secure_ml.training.estimators.noise_plan import COUNT_UNITS, NoisePlan
from secure_ml.training.estimators.port import GIVEN_MASKED, PRIVATE, VOID, Curve, ModelFacts, PrivacyLoss
from secure_ml.training.sampling import one_row_each
from secure_ml.vault.dataset import Dataset

_LARGEST_NOISE_STEP = 0.01
"""Largest standard deviation of noise in one step of one weight: on a small table the step shrinks accordingly."""

_LARGEST_LOG_ODDS = 16.0


@dataclass(frozen=True)
class AdditiveModel:
    """The sum of one contribution a feature, and an intercept, on the scale of log-odds.

    Attributes:
        encoding: how a row's cells become codes.
        contributions: log-odds of every code, numbered through.
        intercept: log-odds of no row in particular.
        facts: how it was learned.
    """

    encoding: Encoding
    contributions: NDArray[np.float64]
    intercept: float
    facts: ModelFacts

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.encoding.names

    def predict_probability(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """The probability of the positive outcome for each row."""
        score = np.full(batch.num_rows, self.intercept)
        for codes in self.encoding.encode(batch):
            score += self.contributions[codes]
        return 1 / (1 + np.exp(-score))

    def explain(self) -> Mapping[str, Curve]:
        """One curve a feature: the model itself, not an approximation of it."""
        ends = [*self.encoding.offsets[1:], self.encoding.width]
        parts = zip(self.encoding.features, self.encoding.offsets, ends, strict=True)
        return {
            f.name: Curve(f.name, f.levels, tuple(float(v) for v in self.contributions[start:end]))
            for f, start, end in parts
        }


class DpAdditiveEstimator:
    """Learns an `AdditiveModel`.

    Args:
        sampler: draws the noise; only tests pass one.
    """

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._sampler = OpenDpSampler() if sampler is None else sampler

    def fit(
        self, train: Dataset, *, policy: Policy, subject_key: bytes, privacy_loss: PrivacyLoss | None
    ) -> AdditiveModel:
        """See `Estimator.fit`. The table is never refused for what it holds: a refusal would itself be a release."""
        settings = policy.training.estimator
        if not isinstance(settings, DpAdditive) or privacy_loss is None:
            raise TrainingError("dp_additive needs its settings in the policy and a privacy loss that was charged")
        encoding = Encoding.of(policy.features)
        codes, positive = _read(train, policy=policy, encoding=encoding, subject_key=subject_key)
        rows = ClippedRows.of(codes, positive, encoding=encoding, clip=settings.clip)
        plan = NoisePlan.of(
            privacy_loss=privacy_loss, rounds=settings.rounds, sensitivity_squared=rows.sensitivity_squared
        )
        counted = NoisySum(plan.count.scale, self._sampler).release(np.array([positive.size * COUNT_UNITS], np.int64))
        noise = NoisySum(plan.gradient.scale, self._sampler)
        log_odds = descend(
            lambda weights: noise.release(rows.gradient_sum(weights)),
            width=encoding.width,
            noisy_rows=max(1.0, float(counted[0]) / COUNT_UNITS),
            row_norm=math.sqrt(encoding.row_norm_squared),
            scale=plan.gradient.scale,
            settings=settings,
        )
        facts = _facts(policy, settings, privacy_loss, plan)
        return AdditiveModel(encoding, log_odds[:-1], float(log_odds[-1]), facts)


def descend(
    noisy_gradient: Callable[[Integers], Integers],
    *,
    width: int,
    noisy_rows: float,
    row_norm: float,
    scale: float,
    settings: DpAdditive,
) -> NDArray[np.float64]:
    """Gradient descent with momentum on noisy sums; the average of the second half of the iterates.

    Only post-processing of what `noisy_gradient` releases.

    Args:
        noisy_gradient: called `settings.rounds` times with log-odds in `LOGIT_UNITS`, the intercept last.
        width: count of codes.
        noisy_rows: the released count.
        row_norm: norm of a one-hot row; the descent works on rows scaled to norm 1.
        scale: standard deviation of the noise, in integer units.
        settings: rounds, step, momentum, clip.

    Returns:
        Log-odds of every code and of the intercept.
    """
    unit = settings.clip / GRADIENT_UNITS / row_norm / noisy_rows
    step = min(settings.learning_rate, _LARGEST_NOISE_STEP / (scale * unit))
    weights, velocity, total = (np.zeros(width + 1) for _ in range(3))
    for done in range(settings.rounds):
        bounded = np.clip(weights / row_norm, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
        gradient = noisy_gradient(np.round(bounded * LOGIT_UNITS).astype(np.int64)) * unit
        velocity = settings.momentum * velocity + gradient
        weights = weights - step * velocity
        if done >= settings.rounds // 2:
            total += weights
    return total / (settings.rounds - settings.rounds // 2) / row_norm


def _read(
    train: Dataset, *, policy: Policy, encoding: Encoding, subject_key: bytes
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Codes and outcomes of the labelled rows, one for each subject; the table itself is not held."""
    subject = () if policy.subject is None else (policy.subject.column,)
    codes, positive, subjects = [np.empty((len(encoding.features), 0), np.int32)], [np.empty(0, bool)], []
    for batch in train.scan([*encoding.names, policy.label.column, *subject]):
        yes = outcome(batch, policy)
        labelled = np.asarray(yes.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        codes.append(encoding.encode(batch)[:, labelled])
        positive.append(np.asarray(yes.drop_null().to_numpy(zero_copy_only=False), dtype=bool))
        if subject:
            subjects.append(batch.column(subject[0]).filter(pa.array(labelled)))
    all_codes, all_positive = np.hstack(codes), np.concatenate(positive)
    if not subjects:
        return all_codes, all_positive
    chosen = one_row_each(pa.chunked_array(subjects), all_codes, all_positive, key=subject_key)
    return all_codes[:, chosen], all_positive[chosen]


def _facts(policy: Policy, settings: DpAdditive, privacy_loss: PrivacyLoss, plan: NoisePlan) -> ModelFacts:
    drafted = [name for name, feature in policy.features.items() if feature.bounds_from == "data"]
    subject = policy.subject is not None
    guarantee, reason = PRIVATE, ""
    if policy.learns_from_suppressed:
        guarantee = GIVEN_MASKED
        reason = (
            "rare combinations of quasi-identifiers were suppressed by looking at all rows, so one person's presence "
            "may change the rows of others before the training; the privacy loss covers what comes after that"
        )
    if drafted:
        guarantee, reason = VOID, f"bins or categories were drafted from the data for: {', '.join(drafted)}"
    return ModelFacts(
        estimator=settings.kind,
        algorithm="additive logistic model on declared bins and categories, noisy full-batch gradient descent",
        hyperparameters={
            "rounds": settings.rounds,
            "learning_rate": settings.learning_rate,
            "momentum": settings.momentum,
            "clip": settings.clip,
        },
        guarantee=guarantee,
        guarantee_reason=reason,
        unit="subject" if subject else "row",
        neighbouring=(
            "one subject with all their rows added or removed (one row of each is used)"
            if subject
            else "one row added or removed"
        ),
        epsilon=_plain(privacy_loss.epsilon),
        delta=scientific(privacy_loss.delta),
        accountant=(
            "exact Gaussian composition (Balle & Wang 2018; Dong, Roth & Su 2022) with discrete Gaussian noise, "
            "checked by dp_accounting's privacy-loss distributions"
        ),
        noise_scale=plan.gradient.scale / math.sqrt(plan.gradient.sensitivity_squared),
        releases=plan.count.times + plan.gradient.times,
        not_covered=NOT_COVERED,
        seed_policy="noise from the operating system, never repeatable; row choice by the project's keyed hash",
    )


NOT_COVERED = (
    "metrics, calibration, fairness and drift figures, row counts: exact, under disclosure control only",
    "steps before training that look at several rows, such as suppression for anonymity",
    "the choice of bins, categories and settings, where a person made it after looking at the data",
    "the verdicts of checks: that a model was released at all",
    "other trainings on the same subjects: their charges add up in the ledger",
    "timing of the training, and memory of the machine that ran it",
)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
