"""What is done to rights and keys while the disk fails: each of it says what was acknowledged."""

from collections.abc import Callable
from pathlib import Path

from pytest import MonkeyPatch  # noqa: PT013 - used as a block

from secure_ml.access.stages import Stage
from secure_ml.vault.granting import ApproveGrant, RequestGrant, change_grant, list_grants
from secure_ml.vault.key_custody import KeysRotated, RotateKeys
from secure_ml.vault.promotion import attest, promote
from secure_ml_tests.environments.finished import ENVIRONMENT, make_finished, open_finished
from secure_ml_tests.environments.staged import Staged
from secure_ml_tests.fakes.small_project import PROJECT, attributes

Say = Callable[[str], None]
PLACE = {"environment": ENVIRONMENT, "project": PROJECT}
NEXT = {"environment": "production", "project": PROJECT}
PURPOSE = attributes()["purpose"]


def opened(root: Path) -> Staged:
    """The project below a folder. Its code is one, whoever edits the checkout meanwhile."""
    with MonkeyPatch.context() as patched:
        patched.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
        return open_finished(root)


def prepare(root: Path) -> None:
    """A finished project with a grant that waits for its approval."""
    with MonkeyPatch.context() as patched:
        patched.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
        make_finished(root)
    ask(root, lambda words: None)


def ask(root: Path, say: Say) -> None:
    """For a grant."""
    fields = {"stage": Stage.MASKED, "columns": ("income",), "hours": 8, "reason": "two rows fail the schema"}
    asked = RequestGrant.model_validate({**PLACE, **fields, "purpose": PURPOSE})
    say(f"asked {change_grant(opened(root).kernel_of('scientist'), asked).grant_id}")


def approve(root: Path, say: Say) -> None:
    """The grant that waits."""
    kernel = opened(root).kernel_of("steward")
    (waiting,) = list_grants(kernel, **PLACE, own=False)
    say(f"approved {change_grant(kernel, ApproveGrant(**PLACE, grant_id=waiting.grant_id)).grant_id}")


def let_on(root: Path, say: Say) -> None:
    """The project, into production."""
    kernel = opened(root).kernel_of("officer")
    found = attest(kernel, **PLACE)
    promotion = promote(kernel, **NEXT, evidence=found.evidence, signature=found.signature)
    say(f"promoted {promotion.promotion_id}")


def rotate(root: Path, say: Say) -> None:
    """The keys of the environment, to the end."""
    kernel, epochs = opened(root).kernel_of("keeper"), dict[str, int]()
    while True:
        answer = kernel.send(RotateKeys(environments=(ENVIRONMENT,), epochs=epochs))
        assert isinstance(answer, KeysRotated)
        epochs = answer.epochs
        if answer.finished:
            break
    say(f"rotated {epochs[ENVIRONMENT]}")


def look(root: Path, say: Say) -> None:
    """At a column that needs no grant."""
    client = opened(root).client_of("scientist")
    seen = client.explore(**PLACE, stage=Stage.MASKED, purpose=PURPOSE, columns=("region",)).read()
    say(f"saw {seen.num_rows}")
