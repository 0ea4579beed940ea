"""What the kernel's own installation does not hold, told by message to whom its roles permit it.

Belongs here: that message and its answer. Must stay out: what counts as a shortfall (posture).
"""

from typing import TYPE_CHECKING

from secure_ml.access.decisions import Action, Resource
from secure_ml.posture import Shortfall, kernel_shortfalls
from secure_ml.settings import Settings
from secure_ml.vault.messages import Kernel, Message

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore


class DescribePosture(Message):
    """Asks what does not hold at the kernel."""


class PostureDescribed(Message):
    """Words for people, by name."""

    shortfalls: dict[str, str]


def describe_posture(kernel: Kernel) -> tuple[Shortfall, ...]:
    """What the kernel tells that does not hold there.

    Raises:
        AccessRefused: whoever asks has no role that may see it.
    """
    answer = kernel.send(DescribePosture())
    if not isinstance(answer, PostureDescribed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where PostureDescribed was due")
    return tuple(Shortfall(name, words) for name, words in answer.shortfalls.items())


def register_posture(kernel: "KernelCore", settings: Settings) -> None:
    """Lets the kernel tell of itself."""

    def describe(request: DescribePosture) -> PostureDescribed:
        kernel.admission.authorise(Action.STATUS_READ, Resource(), refusals_only=True)
        return PostureDescribed(shortfalls={found.name: found.words for found in kernel_shortfalls(settings)})

    kernel.register(DescribePosture, describe)
