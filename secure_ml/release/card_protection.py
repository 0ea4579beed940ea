"""The declared half of a model card: features, treatments, what was left out, training, privacy.

Belongs here: the wording of policy and training facts. Must stay out: anything measured.
"""

from collections.abc import Mapping, Sequence

from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.policy.treatments import Feature, Never
from secure_ml.privacy.charge import scientific
from secure_ml.protection.mask.describe import describe_treatment
from secure_ml.release.errors import CardError
from secure_ml.release.markdown import bullets, code, section, table, text
from secure_ml.training.estimators.port import GIVEN_MASKED, NONE, PRIVATE, VOID

_USES = {
    "fairness": "to compare groups only",
    "review": "for a person who reviews one case only",
    "administrative": "by the pipeline only: subject, label, consent, time",
    "never": "not used",
}


def features(policy: Policy) -> str:
    """The inputs of the model, with the reason why the purpose needs each."""
    rows = []
    for name, column in policy.columns.items():
        if isinstance(column.use, Feature):
            treated = describe_treatment(column)
            rows.append(
                (code(name), text(column.description), text(treated), _bounds(column.use), text(column.use.reason))
            )
    return section("Features", table(("Feature", "What it holds", "Treatment", "Bounds", "Why it is needed"), rows))


def excluded_columns(policy: Policy) -> str:
    """The columns that are no input, with what they may be used for instead."""
    rows = []
    for name, column in policy.columns.items():
        if isinstance(column.use, Feature):
            continue
        reason = column.use.reason if isinstance(column.use, Never) else None
        why = f"{_USES[column.use.kind]}: {reason}" if reason else _USES[column.use.kind]
        rows.append((code(name), text(column.category), text(describe_treatment(column)), text(why)))
    return section("Excluded columns", table(("Column", "Category", "Treatment", "Use and reason"), rows))


def overridden_findings(policy: Policy) -> tuple[str, ...]:
    """The findings that the steward overrides, with the reason; no section where there are none."""
    rows = [
        (code(name), text(column.override.entity), text(describe_treatment(column)), text(column.override.reason))
        for name, column in policy.columns.items()
        if column.override is not None
    ]
    if not rows:
        return ()
    words = (
        "These findings count for nothing by the word of the policy's owners. If they are wrong, nothing else stops it."
    )
    return (section("Overridden findings", words, table(("Column", "Finding", "Treatment", "Reason"), rows)),)


def anonymity(policy: Policy) -> tuple[str, ...]:
    """What each version of `masked` had to meet before it could be read; no section where nothing is asked."""
    asked = policy.anonymity
    if asked is None:
        return ()
    named = ", ".join(code(name) for name in policy.quasi_identifiers)
    sensitive = ", ".join(code(name) for name in asked.sensitive)
    bounds = [f"at least {asked.smallest_class} subjects share each combination of {named}"]
    if asked.l_diversity is not None:
        bounds.append(
            f"of {sensitive}, each has l ≥ {asked.l_diversity.minimum:g} ({asked.l_diversity.kind} l-diversity)"
        )
    if asked.t_closeness is not None:
        bounds.append(f"of {sensitive}, each has t ≤ {asked.t_closeness:g} (t-closeness)")
    if asked.maximum_marketer_risk is not None:
        bounds.append(f"the risk of a subject taken at random is at most {asked.maximum_marketer_risk:g}")
    if asked.suppress:
        taken = ", ".join(code(name) for name in policy.suppressed_columns)
        bounds.append(
            f"rare combinations were suppressed, in at most {asked.maximum_suppressed:.1%} of the rows: "
            f"these lost {taken}"
        )
    words = "Every version of the masked table met this. It says nothing of a stranger who knows other columns."
    return (section("Anonymity of the masked table", words, bullets(bounds)),)


def training(facts: Mapping[str, object]) -> str:
    """The learning algorithm and its settings.

    Raises:
        CardError: a fact is missing.
    """
    settings = _needed(facts, "hyperparameters")
    if not isinstance(settings, Mapping):
        raise CardError("the training fact hyperparameters must be a mapping; take it from the training's own record")
    named = [("Estimator", code(_needed(facts, "estimator")))]
    named += [
        (title, text(facts[name]))
        for title, name in (("Algorithm", "algorithm"), ("Randomness", "seed_policy"))
        if facts.get(name)
    ]
    rows = [(code(name), code(value)) for name, value in settings.items()]
    return section("Training", table(("", ""), named), table(("Hyperparameter", "Value"), rows))


def privacy(facts: Mapping[str, object], policy: Policy) -> str:
    """What the training promises the people in the data, in one of four cases, and what it does not.

    Raises:
        CardError: the guarantee is unknown, or one is claimed without its parameters.
    """
    guarantee = _needed(facts, "guarantee")
    if guarantee == PRIVATE:
        words, rows = "**Differentially private.**", _parameters(facts)
    elif guarantee == GIVEN_MASKED:
        reason = text(_needed(facts, "guarantee_reason"))
        words, rows = (
            f"**Differentially private given the masked table**, and not before it: {reason}.",
            _parameters(facts),
        )
    elif guarantee == VOID:
        reason = text(_needed(facts, "guarantee_reason"))
        words = (
            f"**Noise added, no differential-privacy guarantee**: {reason}. The numbers below are what the noise would "
            "give if that were otherwise; they are not a promise."
        )
        rows = _parameters(facts)
    elif guarantee == NONE:
        why = f": {text(facts['guarantee_reason'])}" if facts.get("guarantee_reason") else ""
        words = f"**No differential privacy**{why}. The model may reveal people that it was trained on."
        rows = []
    else:
        raise CardError("the training fact guarantee is not one that this program knows; a card must not guess it")
    uncovered = _needed(facts, "not_covered")
    if isinstance(uncovered, str) or not isinstance(uncovered, Sequence) or not uncovered:
        raise CardError("the training fact not_covered must list what the guarantee leaves open; it is never empty")
    parameters = table(("", ""), rows) if rows else ""
    return section(
        "Privacy", words, parameters, _budget(policy), "Not covered:", bullets(text(item) for item in uncovered)
    )


def _budget(policy: Policy) -> str:
    estimator, backtest = policy.training.estimator, policy.training.backtest
    if not isinstance(estimator, DpAdditive):
        return ""
    limit = estimator.budget
    total = f"All trainings of this project together may spend ε = {limit.epsilon} and δ = {scientific(limit.delta)}."
    if backtest is None or backtest.epsilon is None:
        return total
    return f"The backtest's second model spends another ε = {backtest.epsilon} on the same subjects. {total}"


def _parameters(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    rows = [
        ("Unit of privacy", text(_needed(facts, "unit"))),
        ("Neighbouring tables", text(_needed(facts, "neighbouring"))),
        ("ε", text(_needed(facts, "epsilon"))),
        ("δ", text(_needed(facts, "delta"))),
        ("Accountant", text(_needed(facts, "accountant"))),
    ]
    if facts.get("releases"):
        rows.append(("Noisy sums released", text(facts["releases"])))
    return rows


def _bounds(use: Feature) -> str:
    if use.bins is not None:
        kind = f"{len(use.bins) + 1} bins"
    elif use.categories is not None:
        kind = f"{len(use.categories)} categories and other"
    else:
        return "none declared"
    return f"{kind}, {'drafted from the data' if use.bounds_from == 'data' else 'declared by the steward'}"


def _needed(facts: Mapping[str, object], name: str) -> object:
    value = facts.get(name)
    if value in (None, ""):
        raise CardError(f"the training fact {name} is missing, and the card must state it; take it from the training")
    return value
