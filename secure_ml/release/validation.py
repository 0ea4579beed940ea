"""Validating a candidate: scored on the test side, measured, judged, drawn.

Belongs here: which rows are scored with which model. Must stay out: the measures (assessment), the models (training).
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.access.stages import ONE_PIECE, PERIOD, SIDE, TEST
from secure_ml.assessment.evaluation import Evaluation, evaluate
from secure_ml.assessment.explanation import Curve, Explanation, explain_by_curves, explain_by_permutation
from secure_ml.assessment.figures import draw
from secure_ml.assessment.gates import Judgement, judge
from secure_ml.assessment.records import Estimate, Published
from secure_ml.assessment.scored import Scored
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Fairness
from secure_ml.release.candidate import Candidate, read_candidate
from secure_ml.training.columns import outcome
from secure_ml.training.estimators.port import TrainedModel
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import declassify, join

EVALUATION = "evaluation.json"
FACTS = "facts.json"
FIGURES = "figures/"
METRICS = ("auc", "accuracy", "f1", "log_loss", "expected_calibration_error", "backtest_auc")
"""Headline metrics, in the order in which people read them."""

_RESAMPLES = 300
_SHUFFLES = 5
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Evidence:
    """What `validated` holds.

    Attributes:
        evaluation: all figures.
        facts: how the model was learned, as its card says it.
        figures: PNG by file name.
    """

    evaluation: Evaluation
    facts: Mapping[str, object]
    figures: Mapping[str, bytes]

    def judgements(self, policy: Policy) -> tuple[Judgement, ...]:
        """The policy's gates against the figures."""
        return judge(self.evaluation, policy.gates)


def validate_candidate(
    split: Dataset, trained: Dataset, policy: Policy, *, periods: Sequence[str], generator: np.random.Generator
) -> Dataset:
    """Measures a candidate on the test side.

    Args:
        split: validation and test sides; only the test side is scored.
        trained: the candidate.
        policy: gates, protected attributes, disclosure control.
        periods: every period that could occur, in time order.
        generator: draws of the bootstrap; it serves intervals, never privacy.

    Raises:
        AssessmentError: the test side cannot be assessed; says what to do.
    """
    candidate = read_candidate(trained)
    test = _side(split, TEST)
    scored = _score(test, candidate.model, policy)
    evaluation = evaluate(
        scored,
        second_model=_later_periods(test, candidate, policy),
        explanation=_explain(candidate.model, test, scored, policy, generator),
        project=policy.project,
        model_digest=candidate.digest,
        policy_digest=policy.digest,
        test_versions=split.origins,
        periods=[period or ONE_PIECE for period in periods],
        control=policy.gates.disclosure,
        resamples=_RESAMPLES,
        generator=generator,
    )
    files = {
        EVALUATION: evaluation.to_json().encode(),
        FACTS: json.dumps(candidate.model.facts.to_json(), sort_keys=True).encode(),
        **{FIGURES + name: content for name, content in draw(evaluation).items()},
    }
    label = declassify(join([*split.labels.values(), *trained.labels.values()]), by=evaluate)
    origins = (*split.origins, *trained.origins)
    return artefacts(files, label=label, origins=origins, summary=published_figures(evaluation))


def published_figures(evaluation: Evaluation) -> dict[str, int | float | str]:
    """Every published metric by name, and every published gap as `gap.attribute`; a suppressed one says so."""
    found: dict[str, Published | None] = {name: evaluation.metric(name) for name in METRICS}
    for compared in evaluation.fairness:
        found[f"demographic_parity_difference.{compared.attribute}"] = compared.demographic_parity_difference
        found[f"equalized_odds_difference.{compared.attribute}"] = compared.equalized_odds_difference
    return {
        name: figure.value if isinstance(figure, Estimate) else figure
        for name, figure in found.items()
        if figure is not None
    }


def read_evidence(validated: Dataset) -> Evidence:
    """The evidence in a version of `validated`.

    Raises:
        AssessmentError: the evaluation is damaged or of another format.
    """
    files = read_artefacts(validated)
    figures = {name.removeprefix(FIGURES): content for name, content in files.items() if name.startswith(FIGURES)}
    return Evidence(Evaluation.from_json(files[EVALUATION]), json.loads(files[FACTS]), figures)


def _side(split: Dataset, side: str) -> pa.Table:
    batches = [batch.filter(pc.equal(batch.column(SIDE), side)) for batch in split.scan()]
    return pa.Table.from_batches(batches, schema=split.schema).combine_chunks()


def _score(rows: pa.Table, model: TrainedModel, policy: Policy) -> Scored:
    batch = _one_batch(rows)
    subject = None
    if policy.subject is not None:
        subject = np.asarray(batch.column(policy.subject.column).to_pylist(), dtype=object)
    return Scored(
        label=np.asarray(outcome(batch, policy).fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_),
        score=model.predict_probability(batch),
        subject=subject,
        period=np.asarray(batch.column(PERIOD).to_pylist(), dtype=np.str_),
        groups={
            name: _groups(batch.column(name), column.use)
            for name, column in policy.columns.items()
            if isinstance(column.use, Fairness)
        },
    )


def _later_periods(test: pa.Table, candidate: Candidate, policy: Policy) -> Scored | None:
    """The held-out periods under the model that has not seen them."""
    if candidate.twin is None:
        return None
    later = test.filter(pc.is_in(test.column(PERIOD), pa.array(candidate.held_out, pa.string())))
    return _score(later, candidate.twin, policy)


def _explain(
    model: TrainedModel, test: pa.Table, scored: Scored, policy: Policy, generator: np.random.Generator
) -> Explanation:
    curves = model.explain()
    if curves:
        return explain_by_curves({n: Curve(c.feature, c.levels, c.contributions) for n, c in curves.items()})
    return explain_by_permutation(
        model.predict_probability,
        test.select(list(model.features)),
        scored,
        control=policy.gates.disclosure,
        repeats=_SHUFFLES,
        generator=generator,
    )


def _groups(column: pa.Array, use: Fairness) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """Names of the groups: the values of a categorical attribute, intervals of a numeric one, or unknown."""
    if use.bins is None:
        return np.asarray(column.cast(pa.string()).fill_null(_UNKNOWN).to_pylist(), dtype=np.str_)
    edges = np.asarray(use.bins, dtype=np.float64)
    names = [f"below {edges[0]:g}"]
    names += [f"{low:g} to below {high:g}" for low, high in itertools.pairwise(edges)]
    names += [f"{edges[-1]:g} or more", _UNKNOWN]
    numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    codes = np.where(np.isnan(numbers), len(edges) + 1, np.digitize(numbers, edges))
    return np.asarray(names, dtype=np.str_)[codes]


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=rows.schema)
