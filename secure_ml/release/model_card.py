"""The model card: what a person must know before they approve, use or question a model, in Markdown.

Belongs here: the card as a pure function of records. Must stay out: measuring, reading stores, and where the card goes.

Headings follow Mitchell et al., "Model Cards for Model Reporting" (2019): model details, intended use, data, factors
and metrics, ethical considerations, caveats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.gates import Judgement
from secure_ml.policy.project import Policy
from secure_ml.release.card_measurements import measurements
from secure_ml.release.card_protection import (
    anonymity,
    excluded_columns,
    features,
    overridden_findings,
    privacy,
    training,
)
from secure_ml.release.errors import CardError
from secure_ml.release.markdown import bullets, code, section, table, text
from secure_ml.release.record import StoredVersion

_LEGAL_BASIS = {
    "consent": "consent of the data subject, GDPR Art. 6 (1) (a)",
    "contract": "performance of a contract, GDPR Art. 6 (1) (b)",
    "legal_obligation": "legal obligation, GDPR Art. 6 (1) (c)",
    "vital_interests": "vital interests, GDPR Art. 6 (1) (d)",
    "public_task": "public task, GDPR Art. 6 (1) (e)",
    "legitimate_interests": "legitimate interests, GDPR Art. 6 (1) (f)",
}

_NOT_FOR = (
    "any other purpose: neither the legal basis nor a subject's consent covers it",
    "a decision with legal or similar effect on a person without a human who may decide otherwise (GDPR Art. 22)",
    "people or periods unlike those of the data below",
    "explaining one person's case: the explanation here is of the model as a whole",
)

_LIMITATIONS = (
    "The model repeats what was decided in its data, right or wrong; outcomes that were never observed are not in it.",
    "Equal figures between groups do not show that a decision is fair, and small groups are not compared at all.",
    "Intervals speak of chance in the choice of subjects, not of change over time or of errors in the labels.",
    "The figures of this card are exact aggregates under disclosure control; they are not differentially private.",
    "An accuracy near 1 says that few rows were decided wrongly, whatever is suppressed beside it.",
)


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card is made from.

    Attributes:
        policy: the project's declaration.
        model: the model's version in the vault.
        model_digest: digest of the model's canonical content, which the evaluation names too.
        datasets: the versions that it was made from and judged on.
        rows: row counts by side of the split.
        training: the training's own facts, as JSON values.
        evaluation: what was measured.
        judgements: what the gates said of it.
        started_by: who started the training.
        trained_at: when; with a time zone.
        code_version: the project's version or commit.
        environment_lock_digest: SHA-256 of the lock file.
        profile: protection profile of the installation.
        profile_limits: what that profile does not protect against.
    """

    policy: Policy
    model: StoredVersion
    model_digest: str
    datasets: Sequence[StoredVersion]
    rows: Mapping[str, int]
    training: Mapping[str, object]
    evaluation: Evaluation
    judgements: Sequence[Judgement]
    started_by: str
    trained_at: datetime
    code_version: str
    environment_lock_digest: str
    profile: str
    profile_limits: Sequence[str]


def model_card(facts: CardFacts) -> str:
    """The card in Markdown; the same facts give the same text.

    Raises:
        CardError: the facts do not belong together, or one that the card must state is missing.
    """
    _check(facts)
    policy = facts.policy
    sections = (
        f"# Model card: {text(policy.title)}",
        _summary(facts),
        _details(facts),
        _intended_use(policy),
        _data(facts),
        features(policy),
        excluded_columns(policy),
        *overridden_findings(policy),
        *anonymity(policy),
        training(facts.training),
        privacy(facts.training, policy),
        *measurements(facts.evaluation, facts.judgements),
        _limitations(facts),
        _approval(policy),
        _reproduction(facts),
    )
    return "\n\n".join(sections) + "\n"


def _check(facts: CardFacts) -> None:
    if facts.evaluation.policy_digest != facts.policy.digest:
        raise CardError("the evaluation was made under another policy; assess the model again under this one")
    if facts.evaluation.model_digest != facts.model_digest:
        raise CardError("the evaluation is of another model; assess this one")
    if facts.trained_at.tzinfo is None:
        raise CardError("trained_at needs a time zone")
    if not facts.profile_limits:
        raise CardError(f"say what the profile {facts.profile} does not protect against; no profile protects from all")


def _summary(facts: CardFacts) -> str:
    failed = [j for j in facts.judgements if not j.passed]
    blocking = [j for j in failed if j.blocking]
    if blocking:
        return f"**Not fit for registration**: {len(blocking)} of {len(facts.judgements)} gates fail and block."
    if failed:
        return f"{len(failed)} of {len(facts.judgements)} gates fail, none of which blocks."
    return f"All {len(facts.judgements)} gates pass." if facts.judgements else "The policy sets no gate."


def _details(facts: CardFacts) -> str:
    rows = [
        ("Project", code(facts.policy.project)),
        ("Stored version", code(facts.model.version_id)),
        ("Digest of the stored version", code(facts.model.digest)),
        ("Digest of the model", code(facts.model_digest)),
        ("Owners", ", ".join(code(owner) for owner in facts.policy.owners)),
        ("Training started by", text(facts.started_by)),
        ("Trained", facts.trained_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("Protection profile", code(facts.profile)),
    ]
    return section("Model details", table(("", ""), rows))


def _intended_use(policy: Policy) -> str:
    label = policy.columns[policy.label.column]
    predicts = (
        f"It predicts {code(policy.label.column)} = {code(policy.label.positive)}: {text(label.description)} "
        "Its output is a probability."
    )
    return section(
        "Intended use",
        text(policy.purpose),
        predicts,
        f"Legal basis: {_LEGAL_BASIS[policy.legal_basis]}.",
        "Not for:",
        bullets(_NOT_FOR),
    )


def _data(facts: CardFacts) -> str:
    policy, floor = facts.policy, facts.evaluation.minimum_cell
    partitions = sorted({version.partition for version in facts.datasets if version.partition})
    versions = [
        (code(v.stage), code(v.partition) if v.partition else "whole table", code(v.version_id), code(v.digest))
        for v in facts.datasets
    ]
    sides = [(text(side), str(rows) if rows >= floor else "suppressed") for side, rows in facts.rows.items()]
    period = f"Partitions: {partitions[0]} to {partitions[-1]} ({len(partitions)})." if partitions else ""
    subject = (
        f"A subject is one value of {code(policy.subject.column)}; all rows of a subject are on one side."
        if policy.subject is not None
        else "No subject key is declared: every row counts as a subject of its own."
    )
    consent = (
        f"Only rows whose {code(policy.consent.column)} grants consent for the purpose."
        if policy.consent is not None
        else ""
    )
    return section(
        "Training and evaluation data",
        " ".join(part for part in (period, subject, consent) if part),
        table(("Side", "Rows"), sides),
        table(("Stage", "Partition", "Version", "Digest"), versions),
        f"Policy digest: {code(policy.digest)}",
    )


def _limitations(facts: CardFacts) -> str:
    return section(
        "Ethical considerations and limitations",
        bullets(_LIMITATIONS),
        f"The protection profile {code(facts.profile)} does not protect against:",
        bullets(text(limit) for limit in facts.profile_limits),
    )


def _approval(policy: Policy) -> str:
    approvals, kept = policy.approvals, policy.retention
    roles = ", ".join(code(role) for role in approvals.roles)
    return section(
        "Approval and retention",
        f"Before deployment, {approvals.required} different people must approve. Roles that may: {roles}.",
        table(
            ("Kind", "Destroyed after"),
            [
                ("Raw and classified data", f"{kept.raw_days} days"),
                ("Masked data and splits", f"{kept.masked_days} days"),
                ("Models and their evidence", f"{kept.model_days} days"),
            ],
        ),
    )


def _reproduction(facts: CardFacts) -> str:
    rows = [
        ("Code version", code(facts.code_version)),
        ("Environment lock digest", code(facts.environment_lock_digest)),
        ("Evaluation record", code(facts.evaluation.format)),
    ]
    return section("Reproduction", table(("", ""), rows))
