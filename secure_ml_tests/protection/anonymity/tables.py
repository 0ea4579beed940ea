"""An invented policy and table of patients, for the tests of anonymity."""

from collections.abc import Mapping, Sequence
from typing import Any

from secure_ml.policy.project import Policy
from secure_ml.protection.mask.masking import Masking
from secure_ml.vault.dataset import Dataset
from secure_ml_tests.protection.mask.tables import column, key_for, policy, raw

_FEATURE = {"kind": "feature", "reason": "the purpose needs it"}

COLUMNS: dict[str, dict[str, Any]] = {
    "customer": column(treatment="token", entity="subject_id", level="pseudonym", use="administrative"),
    "age": column("integer", {"kind": "generalise_number", "step": 5}, level="quasi", use=_FEATURE),
    "pin": column(treatment={"kind": "generalise_geography", "keep_first": 3}, entity="pin_code", level="quasi"),
    "income": column("number", entity="income", level="none", category="financial", use=_FEATURE),
    "ill": column(level="none", category="health", use=_FEATURE),
    "agreed": column(treatment="drop", category="internal"),
    "approved": column(category="financial", use="administrative"),
}

LADDERS = {
    "age": [{"kind": "generalise_number", "step": step} for step in (5, 10, 20)],
    "pin": [{"kind": "generalise_geography", "keep_first": kept} for kept in (3, 2, 1)],
}


def patients(columns: Mapping[str, Mapping[str, Any]] = COLUMNS, **anonymity: Any) -> Policy:
    """A policy that asks for this anonymity."""
    return policy(columns, anonymity={"k": 2, **anonymity})


def rows(*people: Sequence[Any]) -> list[dict[str, str | None]]:
    """Rows of (age, pin, income, ill), each of a person of their own unless a fifth value names them."""
    return [
        {
            "customer": f"C-{number}" if len(person) < 5 else str(person[4]),
            "age": None if person[0] is None else str(person[0]),
            "pin": person[1],
            "income": str(person[2]),
            "ill": person[3],
            "agreed": "Y",
            "approved": "approved",
        }
        for number, person in enumerate(people)
    ]


def table(people: Sequence[dict[str, str | None]], declared: Policy, *, batch_size: int = 3) -> Dataset:
    """The raw table."""
    return raw(people, declared, batch_size=batch_size)


def masked(people: Sequence[dict[str, str | None]], declared: Policy, *, batch_size: int = 3) -> Dataset:
    """The masked table."""
    return Masking(declared, key_for=key_for).apply(table(people, declared, batch_size=batch_size))
