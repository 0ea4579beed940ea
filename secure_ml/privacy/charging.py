"""The budget behind the kernel's interface: a run asks for a charge by message, under its ticket.

Belongs here: the message and its handler. Must stay out: adding up (ledger) and what a training costs (accounting).
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from pydantic import Field

from secure_ml.access.decisions import Action, Resource
from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.policy.training import DpAdditive
from secure_ml.privacy.charge import BudgetError, Charge, Spent
from secure_ml.vault.manifest import Address
from secure_ml.vault.messages import Kernel, Message, Ticketed

if TYPE_CHECKING:
    from secure_ml.privacy.ledger import BudgetLedger
    from secure_ml.vault.kernel import KernelCore

_LARGEST_EXPONENT = 60
_LONGEST_AMOUNT = 100


class ChargeBudget(Ticketed):
    """Asks for a privacy loss to be charged to the project, before anything is learned. Amounts are exact decimals."""

    epsilon: str = Field(max_length=128)
    delta: str = Field(max_length=128)
    description: str = Field(max_length=1_000)


class BudgetCharged(Message):
    """The charge stands, whatever becomes of the training."""

    charge_id: str
    epsilon: str = Field(max_length=128)
    delta: str = Field(max_length=128)
    spent_epsilon: str
    spent_delta: str
    audit_index: int


class DescribeBudget(Message):
    """Asks what a project has spent so far."""

    environment: str
    project: str


class BudgetDescribed(Message):
    """Exact decimals."""

    spent_epsilon: str
    spent_delta: str


def register_budget(kernel: "KernelCore", ledger: "BudgetLedger", policy_of: Callable[[str], Policy]) -> None:
    """Lets the kernel answer `ChargeBudget` from this ledger, within the limits of the project's policy."""

    def charge(request: ChargeBudget) -> BudgetCharged:
        address = Address(request.environment, request.project, Stage.TRAINED, "")
        ticket = kernel.identify(request, "budget.charge", str(address), by=Stage.TRAINED, by_role=Action.BUDGET_CHARGE)
        policy = policy_of(request.project)
        estimator = policy.training.estimator
        if not isinstance(estimator, DpAdditive):
            raise BudgetError(f"the policy of {request.project} declares no privacy budget to charge")
        made = ledger.charge(
            project=f"{request.environment}/{request.project}",
            epsilon=_decimal(request.epsilon),
            delta=_decimal(request.delta),
            limit_epsilon=estimator.budget.epsilon,
            limit_delta=estimator.budget.delta,
            unit="subject" if policy.subject is not None else "row",
            description=request.description,
            actor=ticket.actor,
            run_id=ticket.run_id,
        )
        return _answer(made)

    def describe(request: DescribeBudget) -> BudgetDescribed:
        place = Resource(request.environment, request.project)
        kernel.admission.authorise(Action.STATUS_READ, place, refusals_only=True)
        spent = ledger.spent(f"{request.environment}/{request.project}")
        return BudgetDescribed(spent_epsilon=str(spent.epsilon), spent_delta=str(spent.delta))

    kernel.register(ChargeBudget, charge)
    kernel.register(DescribeBudget, describe)


def spent_budget(kernel: Kernel, *, environment: str, project: str) -> Spent:
    """What the kernel tells of a project's budget.

    Raises:
        AccessRefused: whoever asks has no role that may see it.
    """
    answer = kernel.send(DescribeBudget(environment=environment, project=project))
    if not isinstance(answer, BudgetDescribed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where BudgetDescribed was due")
    return Spent(Decimal(answer.spent_epsilon), Decimal(answer.spent_delta))


def read_charge(answer: BudgetCharged, *, project: str) -> Charge:
    """The charge that an answer tells of."""
    spent = Spent(Decimal(answer.spent_epsilon), Decimal(answer.spent_delta))
    return Charge(answer.charge_id, project, Decimal(answer.epsilon), Decimal(answer.delta), spent, answer.audit_index)


def _decimal(text: str) -> Decimal:
    """An amount of a message. A huge exponent is refused: as an exact fraction it would fill the memory."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and abs(amount.adjusted()) <= _LARGEST_EXPONENT and len(text) <= _LONGEST_AMOUNT):
        raise BudgetError("a charge needs epsilon and delta as decimal numbers")
    return amount


def _answer(made: Charge) -> BudgetCharged:
    return BudgetCharged(
        charge_id=made.charge_id,
        epsilon=str(made.epsilon),
        delta=str(made.delta),
        spent_epsilon=str(made.spent.epsilon),
        spent_delta=str(made.spent.delta),
        audit_index=made.audit_index,
    )
