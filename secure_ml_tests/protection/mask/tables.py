"""An invented policy and table with every treatment, for the tests of masking."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.project import Policy
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import declared_label

_FEATURE = {"kind": "feature", "reason": "the purpose needs it"}
_NEVER = {"kind": "never"}


def column(
    kind: str = "string",
    treatment: str | Mapping[str, Any] = "keep",
    *,
    entity: str = "none",
    level: str = "none",
    category: str = "pii",
    use: Mapping[str, Any] | str = "never",
) -> dict[str, Any]:
    return {
        "description": "an invented column",
        "type": kind,
        "category": category,
        "entity": entity,
        "identifiability": level,
        "treatment": {"kind": treatment} if isinstance(treatment, str) else dict(treatment),
        "use": {"kind": use} if isinstance(use, str) else dict(use),
    }


def column_policy(*args: Any, **kwargs: Any) -> ColumnPolicy:
    return ColumnPolicy.model_validate(column(*args, **kwargs))


COLUMNS: dict[str, dict[str, Any]] = {
    "customer": column(treatment="token", entity="subject_id", level="pseudonym", use="administrative"),
    "name": column(treatment="drop", entity="person_name", level="direct"),
    "email": column(treatment="redact", entity="email", level="direct"),
    "phone": column(
        treatment={"kind": "partial_mask", "keep_last": 4}, entity="phone", level="direct", use="review"
    ),
    "aadhaar": column(treatment="token", entity="aadhaar", level="direct"),
    "pan": column(treatment="drop", entity="pan", level="direct"),
    "account": column(treatment={"kind": "partial_mask"}, entity="account_number", level="direct"),
    "address": column(treatment="drop", entity="postal_address", level="direct"),
    "born": column("date", {"kind": "generalise_date", "to": "year"}, entity="date_of_birth", level="quasi"),
    "applied": column("date", {"kind": "generalise_date", "to": "month"}, category="internal", use="review"),
    "pin": column(
        treatment={"kind": "generalise_geography", "keep_first": 3}, entity="pin_code", level="quasi", use="review"
    ),
    "income": column(
        "number", {"kind": "generalise_number", "step": 5000}, entity="income", level="quasi", category="financial",
        use=_FEATURE,
    ),
    "score": column("integer", category="financial", use=_FEATURE),
    "employer": column(entity="employer", level="quasi", use="review"),
    "salaried": column("boolean", use=_FEATURE),
    "remark": column(treatment="scrub_text", entity="free_text", level="direct", use="review"),
    "agreed": column(treatment="drop", category="internal"),
    "approved": column(category="financial", use="administrative"),
}  # fmt: skip

ROWS: tuple[dict[str, str | None], ...] = (
    {
        "customer": "C-1001", "name": "Zubeida Quraishi", "email": "Zubeida.Q@mail.example", "phone": "+91 98765 43210",
        "aadhaar": "2341 2341 2346", "pan": "ABCPE1234F", "account": "001234567890",
        "address": "14 Lotus Lane, Shimoga",
        "born": "25/03/1990", "applied": "2024-02-29", "pin": "577 201", "income": "₹1,23,456.50", "score": "710",
        "employer": "Orchid Mills", "salaried": "yes",
        "remark": "Zubeida called from 9876543210, aadhaar 234123412346, mail zubeida.q@mail.example; "
        "lives 14 lotus lane.",
        "agreed": "Y", "approved": "approved",
    },
    {
        "customer": "C-1002", "name": "Om Wagh", "email": None, "phone": "98765 4321", "aadhaar": "2341 2341 234",
        "pan": "", "account": "unknown", "address": "", "born": "unknown", "applied": "", "pin": "57720",
        "income": "unknown", "score": "7x", "employer": "", "salaried": "perhaps", "remark": "income verified",
        "agreed": "Y", "approved": "refused",
    },
    {
        "customer": " C-1001 ", "name": "Zubeida Quraishi", "email": "zubeida.q@mail.example", "phone": "09876543210",
        "aadhaar": "234123412346", "pan": "ABCPE1234F", "account": "001234567890", "address": "", "born": "1990-03-25",
        "applied": "01-Mar-2024", "pin": "577201", "income": "45,000", "score": "701.0", "employer": "Orchid Mills",
        "salaried": "0", "remark": "", "agreed": "Y", "approved": "",
    },
    {"customer": "C-1003", "name": "Not Agreed", "phone": "9123456789", "agreed": "N", "approved": "approved"},
    {"customer": "C-1004", "name": "No Answer", "phone": "9123456780", "agreed": None, "approved": "approved"},
    {"customer": " ", "name": "No Key", "phone": "9123456781", "agreed": "Y", "approved": "approved"},
)  # fmt: skip


def policy(columns: Mapping[str, Mapping[str, Any]] = COLUMNS, **changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "project": "loans",
        "title": "Invented loans",
        "purpose": "decide on invented loans",
        "legal_basis": "consent",
        "owners": ["team:risk"],
        "source": {"format": "csv", "path": "loans.csv", "missing": ["", "NA"]},
        "subject": {"column": "customer"},
        "label": {"column": "approved", "positive": "approved"},
        "consent": {"column": "agreed", "granted": ["Y"]},
        "columns": {name: dict(fields) for name, fields in columns.items()},
        "training": {
            "estimator": {"kind": "hist_gradient_boosting", "no_privacy_reason": "an invented table of nobody"}
        },
        "retention": {"raw_days": 1, "masked_days": 1, "model_days": 1},
    }
    return Policy.model_validate({**fields, **changes})


def key_for(purpose: str) -> bytes:
    return purpose.encode().ljust(32, b"k")[:32]


def raw(
    rows: Any = ROWS, declared: Policy | None = None, *, batch_size: int = 100, schema: pa.Schema | None = None
) -> Dataset:
    declared = declared or policy()
    schema = schema or pa.schema([(name, pa.string()) for name in declared.columns])
    filled = [{name: row.get(name) for name in schema.names} for row in rows]
    batches = pa.Table.from_pylist(filled, schema=schema).to_batches(max_chunksize=batch_size)
    labels = {name: declared_label(c) for name, c in declared.columns.items()}
    return from_batches(batches, schema=schema, labels=labels)
