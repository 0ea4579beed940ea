"""The whole policy of one project, and the questions that stages ask of it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from secure_ml.policy.anonymity import Anonymity, quasi_identifiers, require_anonymity
from secure_ml.policy.columns import ColumnPolicy, Consent, Subject, TargetLabel
from secure_ml.policy.environments import REAL_ENVIRONMENTS, Environments
from secure_ml.policy.gates import Approvals, Gates, Retention, Storage
from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.policy.model import PolicyModel, fault, faults
from secure_ml.policy.quality import Quality
from secure_ml.policy.source import Source
from secure_ml.policy.training import Split, Training
from secure_ml.policy.treatments import DateShift, Feature, Surrogate

LegalBasis = Literal[
    "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
]

_COLUMN_NAME = re.compile(r"[^\x00-\x1f]{1,128}")


class Policy(PolicyModel):
    """What a project declares: data, purpose, protection, training, gates."""

    project: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,47}$", description="Name of the project: lower-case letters, digits and '_'."
    )
    title: str = Field(min_length=3, description="A line for people.")
    purpose: str = Field(min_length=10, description="What the data is processed for; consent is asked for this.")
    legal_basis: LegalBasis = Field(description="GDPR Art. 6 (1), and its like in other laws.")
    owners: tuple[str, ...] = Field(
        min_length=1, description="Teams that own the assets, each `team:name`, as Dagster shows them."
    )
    source: Source = Field(description="Where the real table comes from, in training and production.")
    environments: Environments = Field(
        default=Environments(), description="Where development and test, which never read the real table, get theirs."
    )
    subject: Subject | None = Field(
        default=None, description="The subject key. Without one, every row counts as a subject of its own."
    )
    label: TargetLabel = Field(description="What the model predicts.")
    consent: Consent | None = Field(default=None, description="The consent flag; required where consent is the basis.")
    columns: Mapping[str, ColumnPolicy] = Field(min_length=2, description="Every column of the source, by name.")
    quality: Quality = Field(default=Quality(), description="What `raw` must look like.")
    anonymity: Anonymity | None = Field(
        default=None,
        description="What quasi-identifiers of `masked` may tell of a person; without it nothing is asked.",
    )
    split: Split = Field(default=Split(), description="Sides of the split.")
    training: Training = Field(description="Estimator, privacy and backtest.")
    gates: Gates = Field(default=Gates(), description="Thresholds before registration.")
    approvals: Approvals = Field(default=Approvals(), description="Who must agree before deployment.")
    retention: Retention = Field(description="How long things are kept.")
    storage: Storage = Field(default=Storage(), description="How versions are stored.")

    @field_validator("owners")
    @classmethod
    def _teams(cls, owners: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.fullmatch(r"team:[a-z0-9][a-z0-9_-]*", owner) is None for owner in owners):
            raise ValueError("an owner is written team:name, in lower-case letters, digits, '_' and '-'")
        return owners

    @field_validator("columns")
    @classmethod
    def _names(cls, columns: Mapping[str, ColumnPolicy]) -> Mapping[str, ColumnPolicy]:
        if any(_COLUMN_NAME.fullmatch(name) is None or name.startswith("__") for name in columns):
            raise ValueError("a column name has 1 to 128 printable characters and does not start with '__'")
        return columns

    @model_validator(mode="after")
    def _references(self) -> "Policy":
        for field, name in self._named_columns():
            if name not in self.columns:
                raise fault(field, "names the column {column}, which is not among columns", column=repr(name))
        if self.legal_basis == "consent" and self.consent is None:
            raise fault("legal_basis", "consent as the legal basis needs the field consent")
        if self.subject is not None and self.columns[self.subject.column].treatment.kind != "token":
            raise fault(f"columns.{self.subject.column}.treatment", "the subject column's treatment must be token")
        label = self.columns[self.label.column]
        if label.treatment.kind != "keep" or label.use.kind != "administrative":
            raise fault(f"columns.{self.label.column}", "the label column needs treatment keep and use administrative")
        if not self.features:
            raise fault("columns", "no column has the use feature")
        for i, gate in enumerate(self.gates.fairness):
            if self.columns[gate.attribute].use.kind != "fairness":
                raise fault(f"gates.fairness.{i}.attribute", "names a column whose use is not fairness")
        return self

    @model_validator(mode="after")
    def _subject_chooses(self) -> "Policy":
        shifts = {}
        for name, column in self.columns.items():
            match column.treatment:
                case DateShift(max_days=max_days):
                    shifts[name] = max_days
                    if self.subject is None:
                        raise fault(f"columns.{name}.treatment", "date_shift needs the field subject")
                case Surrogate(by="subject") if self.subject is None:
                    raise fault(
                        f"columns.{name}.treatment",
                        "a surrogate by subject needs the field subject; or write by: value",
                    )
        if len(set(shifts.values())) > 1:
            raise faults(
                [("columns", name, "treatment", "max_days") for name in shifts],
                "is the same for all columns of a project: otherwise the time between two dates is not kept",
            )
        return self

    @model_validator(mode="after")
    def _private_training_is_declared(self) -> "Policy":
        if self.training.estimator.kind == "dp_additive":
            unbounded = [name for name, f in self.features.items() if f.bins is None and f.categories is None]
            if unbounded:
                raise faults(
                    [("columns", name, "use") for name in unbounded],
                    "needs bins (numeric) or categories (text): private training takes them from the policy, "
                    "never from the data",
                )
        if self.training.backtest is not None and self.source.partitions.kind == "none":
            raise fault("training.backtest", "needs a partitioned source")
        return self

    @model_validator(mode="after")
    def _real_table_stays_where_it_is(self) -> "Policy":
        for environment in ("development", "test"):
            own = self.environments.own(environment)
            if own is None:
                continue
            field = f"environments.{environment}.source"
            if own.source.place == self.source.place:
                raise fault(field, "is the real table; {environment} needs a table of its own", environment=environment)
            if self.training.backtest is not None and own.source.partitions.kind == "none":
                raise fault(f"{field}.partitions", "training.backtest needs a partitioned source")
        return self

    @model_validator(mode="after")
    def _anonymity_is_about_masked(self) -> "Policy":
        if self.anonymity is not None:
            require_anonymity(self.anonymity, self.columns)
        return self

    def _named_columns(self) -> Iterator[tuple[str, str]]:
        yield "label.column", self.label.column
        if self.subject is not None:
            yield "subject.column", self.subject.column
        if self.consent is not None:
            yield "consent.column", self.consent.column
        for i, expectation in enumerate(self.quality.expectations):
            yield f"quality.expectations.{i}.column", expectation.column
        for i, gate in enumerate(self.gates.fairness):
            yield f"gates.fairness.{i}.attribute", gate.attribute

    @property
    def features(self) -> dict[str, Feature]:
        """The features by column name, in the policy's order."""
        return {name: c.use for name, c in self.columns.items() if isinstance(c.use, Feature)}

    def columns_used_as(self, *kinds: str) -> tuple[str, ...]:
        """Names of the columns whose use is one of `kinds`, in the policy's order."""
        return tuple(name for name, column in self.columns.items() if column.use.kind in kinds)

    def searched_for_in(self, text_column: str) -> tuple[str, ...]:
        """Columns whose values `scrub_text` looks for in a text of the same row: direct identifiers and the subject."""
        subject = None if self.subject is None else self.subject.column
        return tuple(
            name
            for name, column in self.columns.items()
            if name != text_column
            and column.entity is not Entity.FREE_TEXT
            and (column.identifiability is Identifiability.DIRECT or name == subject)
        )

    def beside(self, name: str) -> tuple[str, ...]:
        """The other columns that a column's treatment looks at, so that their labels flow into what it makes."""
        treatment = self.columns[name].treatment
        if treatment.kind == "scrub_text":
            return self.searched_for_in(name)
        by_subject = isinstance(treatment, DateShift) or (
            isinstance(treatment, Surrogate) and treatment.by == "subject"
        )
        return (self.subject.column,) if by_subject and self.subject is not None else ()

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """The columns whose combination makes a class of `masked`; none where nothing is asked of its anonymity."""
        return () if self.anonymity is None else quasi_identifiers(self.anonymity, self.columns)

    @property
    def suppressed_columns(self) -> tuple[str, ...]:
        """The quasi-identifiers that a row of a rare combination loses; none where the policy does not suppress."""
        if self.anonymity is None or not self.anonymity.suppress:
            return ()
        named = self.anonymity.suppressed_columns
        return tuple(name for name in self.quasi_identifiers if named is None or name in named)

    @property
    def learns_from_suppressed(self) -> bool:
        """Whether training may read a cell that suppression takes, which depends on the rows of others.

        Where it reads none, a model is made from the same cells whether rows were suppressed or not.
        """
        return not set(self.suppressed_columns) <= set(self.columns_used_as("fairness", "review", "never"))

    def suppressed_by(self, name: str) -> tuple[str, ...]:
        """The columns of `masked` whose cells decide whether one of `name` is suppressed, so that their labels flow."""
        if self.anonymity is None or name not in self.suppressed_columns:
            return ()
        return (*self.quasi_identifiers, *self.anonymity.sensitive)

    def source_of(self, environment: str) -> Source | None:
        """Where an environment's table comes from; None where it has none, and must not read another's."""
        if environment in REAL_ENVIRONMENTS:
            return self.source
        own = self.environments.own(environment)
        return None if own is None else own.source

    def seen_in(self, environment: str) -> "Policy":
        """The policy as it holds in an environment: with the source and the gates of that environment's own table."""
        own = self.environments.own(environment)
        if own is None:
            return self
        gates = self.gates if own.gates == "block" else self.gates.warning()
        return self.model_copy(update={"source": own.source, "gates": gates})

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's canonical JSON, hexadecimal, without the tables of other environments."""
        return _digest(self.model_dump(mode="json", exclude={"environments"}))

    @property
    def data_digest(self) -> str:
        """SHA-256 of what governs data before training: all but training, gates, approvals, retention and wording."""
        return _digest(self.model_dump(mode="json", exclude=_NOT_ABOUT_DATA))


_NOT_ABOUT_DATA = {"training", "gates", "approvals", "retention", "title", "owners", "environments"}


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
