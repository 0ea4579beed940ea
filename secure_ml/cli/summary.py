"""What a finished project came to, from signed manifests and verdicts; no data is opened.

Belongs here: the record that `demo` shows. Must stay out: printing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.privacy.charging import spent_budget
from secure_ml.protection.classify.telling import SINGLED_OUT
from secure_ml.vault.client import Client
from secure_ml.vault.describing import Description, describe_project
from secure_ml.vault.manifest import Manifest


@dataclass(frozen=True)
class ColumnSummary:
    """What was found in a column, and what was done to it.

    Attributes:
        column: its name.
        found: entity and identifiability, as most partitions have it; "" when nothing was recognised.
        treatment: what was done, in words.
        use: what the purpose needs it for.
        unknown_cells: cells that did not parse, and were masked as unknown.
    """

    column: str
    found: str
    treatment: str
    use: str
    unknown_cells: int


@dataclass(frozen=True)
class CheckSummary:
    """Checks of all versions that are read today."""

    passed: int
    warned: tuple[str, ...]


@dataclass(frozen=True)
class ProjectSummary:
    """A finished project. Amounts of the budget are exact decimals; None where the policy asks for no privacy.

    `singled_out` says for the combinations of columns that single most people out in the latest partition of `raw`, in
    how many of its rows.
    """

    project: str
    partitions: int
    rows_raw: int
    rows_masked: int
    columns: tuple[ColumnSummary, ...]
    checks: CheckSummary
    estimator: str
    guarantee: str
    epsilon_spent: str
    delta_spent: str
    epsilon_budget: str | None
    delta_budget: str | None
    figures: Mapping[str, int | float | str]
    model_card: str
    registered: Mapping[str, int | float | str]
    audit_log_entries: int
    singled_out: Mapping[str, str] = field(default_factory=dict)


def summarise(installation: Client, project: str, *, environment: str) -> ProjectSummary:
    """The summary of a project whose stages have all been materialised."""
    described = describe_project(installation.kernel, environment=environment, project=project)
    manifests = described.manifests
    latest = {Stage(m.address.stage): m for m in manifests}
    masked = [m for m in manifests if m.address.stage == Stage.MASKED]
    policy = installation.policy_of(project).seen_in(environment)
    estimator = policy.training.estimator
    budget = estimator.budget if isinstance(estimator, DpAdditive) else None
    spent = spent_budget(installation.kernel, environment=environment, project=project)
    return ProjectSummary(
        project=project,
        partitions=len(masked),
        rows_raw=sum(m.rows for m in manifests if m.address.stage == Stage.RAW),
        rows_masked=sum(m.rows for m in masked),
        columns=_columns(policy, manifests),
        checks=_checks(described),
        estimator=estimator.kind,
        guarantee=str(latest[Stage.TRAINED].summary.get("guarantee", "")),
        epsilon_spent=plain(spent.epsilon),
        delta_spent=plain(spent.delta),
        epsilon_budget=plain(budget.epsilon) if budget else None,
        delta_budget=plain(budget.delta) if budget else None,
        figures=dict(latest[Stage.VALIDATED].summary),
        model_card=str(_card(installation.settings.mlflow, latest[Stage.REGISTERED])),
        registered=dict(latest[Stage.REGISTERED].summary),
        audit_log_entries=described.log_entries,
        singled_out=_singled_out(described),
    )


def plain(amount: Decimal) -> str:
    """An exact decimal without an exponent and without zeros at its end."""
    return f"{amount.normalize():f}" if amount else "0"


def _columns(policy: Policy, manifests: Sequence[Manifest]) -> tuple[ColumnSummary, ...]:
    from secure_ml.protection.mask.describe import describe_treatment

    found: dict[str, Counter[str]] = {name: Counter() for name in policy.columns}
    unknown: Counter[str] = Counter()
    for manifest in manifests:
        if manifest.address.stage == Stage.CLASSIFIED:
            for name, counter in found.items():
                counter[str(manifest.summary.get(f"found.{name}", ""))] += 1
        if manifest.address.stage == Stage.MASKED:
            unknown.update({n: int(manifest.summary.get(f"unknown.{n}", 0)) for n in policy.columns})
    return tuple(
        ColumnSummary(
            name,
            found[name].most_common(1)[0][0].removeprefix("none, none").removeprefix("none, "),
            describe_treatment(column),
            column.use.kind,
            unknown[name],
        )
        for name, column in policy.columns.items()
    )


def _singled_out(described: Description) -> dict[str, str]:
    classified = [m for m in described.manifests if m.address.stage == Stage.CLASSIFIED]
    latest = max(classified, key=lambda manifest: manifest.address.partition)
    verdict = described.verdicts_on(latest)["no_undeclared_sensitive_column"]
    return {
        name.removeprefix(SINGLED_OUT): str(share)
        for name, share in sorted(verdict.facts.items())
        if name.startswith(SINGLED_OUT)
    }


def _checks(described: Description) -> CheckSummary:
    verdicts = [
        (f"{manifest.address.stage}.{verdict.check}", verdict.passed)
        for manifest in described.manifests
        for verdict in described.verdicts_on(manifest).values()
    ]
    warned = Counter(name for name, passed in verdicts if not passed)
    words = tuple(name if count == 1 else f"{name} ({count} partitions)" for name, count in warned.items())
    return CheckSummary(sum(passed for _, passed in verdicts), words)


def _card(mlflow: Path, registered: Manifest) -> Path:
    """Where MLflow has the artefacts of a run: below the experiment's place, which is named after the project."""
    run = mlflow / "artifacts" / registered.address.environment / registered.address.project
    return run / str(registered.summary["mlflow_run"]) / "artifacts" / "model_card.md"
