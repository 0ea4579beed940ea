"""The persistent privacy budget of each project: charged before training, never refunded.

Belongs here: adding up charges and refusing those beyond the limit. Must stay out: what a training costs (accounting).

Charges add up by basic composition: the sum of the epsilons at the sum of the deltas, for every unit. Amounts are
integers, rounded up; limits are rounded down.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.privacy.charge import BudgetError, BudgetExhausted, Charge, Spent
from secure_ml.state.database import State
from secure_ml.state.tables import budget_charges, budget_limits

__all__ = ["BudgetError", "BudgetExhausted", "BudgetLedger", "Charge", "Spent"]

_EPSILON_UNITS = 10**9
_DELTA_UNITS = 10**18


@dataclass(frozen=True)
class _Amount:
    """Integer units."""

    epsilon: int
    delta: int

    def plus(self, other: "_Amount") -> "_Amount":
        return _Amount(self.epsilon + other.epsilon, self.delta + other.delta)

    def within(self, limit: "_Amount") -> bool:
        return self.epsilon <= limit.epsilon and self.delta <= limit.delta

    def decimals(self) -> Spent:
        return Spent(Decimal(self.epsilon).scaleb(-9), Decimal(self.delta).scaleb(-18))


class BudgetLedger:
    """Charges in the state database, each with its audit entry in the same transaction.

    Args:
        state: holds the charges.
        log: holds their evidence.
    """

    def __init__(self, state: State, log: AuditLog) -> None:
        self._state = state
        self._log = log

    def charge(
        self,
        *,
        project: str,
        epsilon: Decimal,
        delta: Decimal,
        limit_epsilon: Decimal,
        limit_delta: Decimal,
        unit: Literal["subject", "row"],
        description: str,
        actor: str,
        run_id: str,
    ) -> Charge:
        """Charges a cost, durably, before anything is released.

        Args:
            project: whose budget.
            epsilon: privacy loss, above 0.
            delta: failure probability, 0 or above.
            limit_epsilon: the policy's limit; a changed one is logged and holds from now on.
            limit_delta: the policy's limit.
            unit: whose presence the cost is about.
            description: what it is for; names no person.
            actor: who asked.
            run_id: the run.

        Raises:
            BudgetExhausted: it would exceed the limit; the refusal is logged.
            BudgetError: an amount is negative or not a number.
            StateError: the ledger cannot be written; nothing was charged.
        """
        asked = _units(epsilon, delta, round_to=math.ceil)
        limit = _units(limit_epsilon, limit_delta, round_to=math.floor)
        if asked.epsilon < 1:
            raise BudgetError("a charge needs an epsilon above 0")

        def event(action: str, outcome: Literal["refused", "done"], amount: _Amount, spent: _Amount) -> AuditEvent:
            details: dict[str, str | int | bool | list[str]] = {
                "epsilon": _text(amount.decimals().epsilon),
                "delta": _text(amount.decimals().delta),
                "spent_epsilon": _text(spent.decimals().epsilon),
                "spent_delta": _text(spent.decimals().delta),
                "unit": unit,
                "description": description,
            }
            return AuditEvent(action, project, outcome, actor, run_id, details)

        with self._state.transaction() as connection:
            spent = _spent(connection, project)
            if _set_limit(connection, project, limit):
                self._log.append(connection, event("budget.limit", "done", limit, spent))
            total = spent.plus(asked)
            if total.within(limit):
                index = self._log.append(connection, event("budget.charge", "done", asked, total))
                charge_id = f"charge-{index}"
                connection.execute(
                    insert(budget_charges).values(
                        charge_id=charge_id,
                        project=project,
                        epsilon_nano=asked.epsilon,
                        delta=str(asked.delta),
                        description=description,
                        run_id=run_id,
                        audit_index=index,
                    )
                )
                cost = asked.decimals()
                return Charge(charge_id, project, cost.epsilon, cost.delta, total.decimals(), index)
            self._log.append(connection, event("budget.charge", "refused", asked, spent))
        # Raised outside, so that the refusal's entry is committed.
        raise BudgetExhausted(_refusal(project, asked=asked, spent=spent, limit=limit))

    def spent(self, project: str) -> Spent:
        """The sum of all charges of a project."""
        with self._state.reading() as connection:
            return _spent(connection, project).decimals()


def _units(epsilon: Decimal, delta: Decimal, *, round_to: Callable[[Fraction], int]) -> _Amount:
    if not (epsilon.is_finite() and delta.is_finite() and 0 <= epsilon <= 10**6 and 0 <= delta <= 1):
        raise BudgetError("epsilon must be a number from 0 to 1,000,000 and delta one from 0 to 1")
    return _Amount(round_to(Fraction(epsilon) * _EPSILON_UNITS), round_to(Fraction(delta) * _DELTA_UNITS))


def _spent(connection: Connection, project: str) -> _Amount:
    query = select(budget_charges.c.epsilon_nano, budget_charges.c.delta).where(budget_charges.c.project == project)
    rows = connection.execute(query).all()
    return _Amount(sum(int(row.epsilon_nano) for row in rows), sum(int(row.delta) for row in rows))


def _set_limit(connection: Connection, project: str, limit: _Amount) -> bool:
    """Stores the limit that holds now; whether it differs from the one before, or is the first."""
    found = connection.execute(select(budget_limits).where(budget_limits.c.project == project)).one_or_none()
    values = {"epsilon_nano": limit.epsilon, "delta": str(limit.delta)}
    if found is None:
        connection.execute(insert(budget_limits).values(project=project, **values))
    elif (found.epsilon_nano, found.delta) != (limit.epsilon, str(limit.delta)):
        connection.execute(update(budget_limits).where(budget_limits.c.project == project).values(**values))
    else:
        return False
    return True


def _refusal(project: str, *, asked: _Amount, spent: _Amount, limit: _Amount) -> str:
    left = _Amount(max(0, limit.epsilon - spent.epsilon), max(0, limit.delta - spent.delta)).decimals()
    cost, used = asked.decimals(), spent.decimals()
    return (
        f"{project}: the privacy budget does not allow this training: asked epsilon {_text(cost.epsilon)} and delta "
        f"{_text(cost.delta)}; spent {_text(used.epsilon)} and {_text(used.delta)}; left {_text(left.epsilon)} and "
        f"{_text(left.delta)}. Use a model already trained, lower training.estimator.epsilon, or have the data "
        "protection officer raise training.estimator.budget, which is logged"
    )


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
