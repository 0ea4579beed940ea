"""What a charge to a privacy budget is, and how one is refused: the records that the ledger gives out.

Belongs here: records and errors, which assets need without a database. Must stay out: adding up (ledger).
"""

from dataclasses import dataclass
from decimal import Decimal

from secure_ml.vault.errors import VaultError


def scientific(amount: Decimal) -> str:
    """A small probability as `2e-6`: of its zeros people lose count, and the redactor cuts long fractions."""
    return f"{amount.normalize():e}"


class BudgetError(VaultError):
    """An amount that cannot be charged, such as a negative one."""


class BudgetExhausted(BudgetError):
    """The charge would exceed the project's limit; nothing was charged and nothing may be trained."""


@dataclass(frozen=True)
class Spent:
    """The sum of all charges of a project, as exact decimals."""

    epsilon: Decimal
    delta: Decimal


@dataclass(frozen=True)
class Charge:
    """Proof that a cost was charged. It stands, whatever happens to the training that it was for.

    Attributes:
        charge_id: its name in the ledger.
        project: whose budget.
        epsilon: what was charged, rounded up to the ledger's unit.
        delta: what was charged, rounded up to the ledger's unit.
        spent: the project's sum, this charge included.
        audit_index: its entry in the audit log.
    """

    charge_id: str
    project: str
    epsilon: Decimal
    delta: Decimal
    spent: Spent
    audit_index: int
