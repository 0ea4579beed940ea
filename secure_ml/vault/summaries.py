"""What a version may say of itself in clear: figures, and words that are known without the data.

Belongs here: the closed vocabulary of summaries. Must stay out: counting, which is the stages'.

A summary stands unencrypted in the signed manifest, for as long as that is kept. Whoever writes it has read values of
people, by mistake or by intent may put one there, and the kernel, which sees no row, could not tell. So it takes no
text that it does not know beforehand, neither as a name nor as a word. See docs/formats/manifest.md.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from secure_ml.access.stages import ONE_PIECE, SIDES, Stage
from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.manifest import Address

FIGURES: Mapping[Stage, frozenset[str]] = MappingProxyType(
    {
        Stage.MASKED: frozenset(
            {"rows_read", "rows_masked", "without_subject", "without_consent", "not_admitted", "suppressed"}
        ),
        Stage.SPLIT: frozenset({*(f"rows_{side}" for side in SIDES), "unlabelled", "no_subject"}),
        Stage.TRAINED: frozenset(
            {"estimator", "guarantee", "epsilon", "delta", "unit", "first_period", "last_period"},
        ),
        Stage.VALIDATED: frozenset({"auc", "accuracy", "f1", "log_loss", "expected_calibration_error", "backtest_auc"}),
        Stage.REGISTERED: frozenset({"registered_model", "model_version", "status", "mlflow_run"}),
    }
)
"""Names of what a stage may tell."""

FIGURES_OF_COLUMNS: Mapping[Stage, frozenset[str]] = MappingProxyType(
    {
        Stage.CLASSIFIED: frozenset({"found"}),
        Stage.MASKED: frozenset({"unknown"}),
        Stage.VALIDATED: frozenset({"demographic_parity_difference", "equalized_odds_difference"}),
    }
)
"""The same of single columns: the name, a dot, the column's name."""

WORDS = frozenset(
    {
        "suppressed",
        "dp_additive",
        "hist_gradient_boosting",
        "differentially private",
        "differentially private given the masked table",
        "noise added, no differential-privacy guarantee",
        "no differential privacy",
        "subject",
        "row",
        ONE_PIECE,
        "candidate",
        *(f"{entity}, {identifiability}" for entity in Entity for identifiability in Identifiability),
    }
)
"""What text may stand in place of a figure, beside the project's own name, its partitions and its privacy loss."""

_COUNTING = frozenset({Stage.MASKED, Stage.SPLIT})
"""Stages all of whose figures count rows, or cells of one column."""

_RUN = re.compile(r"[0-9a-f]{32}")
_LARGEST = 2**53
"""Integers up to it are exact as IEEE 754 doubles; the digits of a much larger one could spell a text."""


def require_summary(
    address: Address, summary: Mapping[str, int | float | str], *, policy: Policy, columns: Collection[str], rows: int
) -> None:
    """Returns if a summary consists of figures and known words, under names that the stage may tell.

    Args:
        address: of the version.
        summary: what its writer sent.
        policy: of its project.
        columns: names of columns that stand in clear already: the policy's, and those of the version's parents.
        rows: of the version's parents together; no count is larger, so that none is a telephone number.

    Raises:
        AccessRefused: it does not; nothing of it is repeated.
    """
    stage = Stage(address.stage)
    for name, value in summary.items():
        figure, dot, column = name.partition(".")
        if dot:
            known = figure in FIGURES_OF_COLUMNS.get(stage, ()) and column in columns
        else:
            known = figure in FIGURES.get(stage, ())
        counted = stage not in _COUNTING or _is_count(value, rows)
        if not known or not counted or not _is_told(figure, value, address, policy):
            raise AccessRefused(
                f"{address}: its summary holds a name or a text that is none of the {stage} stage's own; it stands in "
                "clear, so let it hold figures, and the words that docs/formats/manifest.md lists"
            )


def _is_count(value: float | str, rows: int) -> bool:
    return isinstance(value, int) and 0 <= value <= rows


def _is_told(figure: str, value: float | str, address: Address, policy: Policy) -> bool:
    if not isinstance(value, str):
        return abs(value) <= _LARGEST
    return (
        value in WORDS
        or value == f"{address.environment}.{address.project}"
        or policy.seen_in(address.environment).source.partitions.has(value)
        or value in _loss(policy).get(figure, ())
        or (figure == "mlflow_run" and _RUN.fullmatch(value) is not None)
    )


def _loss(policy: Policy) -> dict[str, tuple[str, str]]:
    """The declared privacy loss of one training, with and without an exponent."""
    estimator = policy.training.estimator
    if not isinstance(estimator, DpAdditive):
        return {}
    amounts = {"epsilon": estimator.epsilon.normalize(), "delta": estimator.delta.normalize()}
    return {figure: (f"{amount:f}", f"{amount:e}") for figure, amount in amounts.items()}
