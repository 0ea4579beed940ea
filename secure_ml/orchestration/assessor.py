"""The assessor: judges versions in a process and under a user of its own, where a run may not judge what it wrote.

Belongs here: its messages, its two ends. Must stay out: what is judged (the checks), and the socket.
"""

import secrets
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from secure_ml.access.stages import Stage
from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.checks import classified, masked, raw, split, trained, validated
from secure_ml.orchestration.checks.assessment import Assessed, Fact, Judgement, assess
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.messages import Kernel, Message

if TYPE_CHECKING:
    from secure_ml.vault.caller import Caller
    from secure_ml.vault.client import Client

_JUDGES = {
    Stage.RAW: raw.judge_of,
    Stage.CLASSIFIED: classified.judge_of,
    Stage.MASKED: masked.judge_of,
    Stage.SPLIT: split.judge_of,
    Stage.TRAINED: trained.judge_of,
    Stage.VALIDATED: validated.judge_of,
}


def import_what_judges_need() -> None:
    """What judges import where they first use it: a service has the time before it is asked, and no run waits then."""
    import great_expectations
    import skops.io

    from secure_ml.protection.classify.classifier import Classifier

    Classifier()
    del great_expectations, skops


class AssessVersion(Message):
    """Asks that the head of an address be judged by some of its stage's checks."""

    environment: str
    project: str
    stage: Stage
    partition: str
    checks: tuple[str, ...]


class Judged(Message):
    """One judgement, and the log entry that recorded it; see `Judgement`."""

    check: str
    passed: bool
    words: str
    blocking: bool
    facts: dict[str, Fact]
    table: tuple[dict[str, Fact], ...]
    pictures: dict[str, bytes]
    audit_index: int


class VersionAssessed(Message):
    """The version that was judged, and what was found."""

    version_id: str
    judged: tuple[Judged, ...]


class Assessor:
    """Judges what it is asked to, one version at a time, under a ticket of its own for each.

    It loads no code but this project's checks: what a run loads cannot make it say yes.

    Args:
        client: the installation, over its kernel's socket.
    """

    def __init__(self, client: "Client") -> None:
        self._client, self._lock = client, threading.Lock()
        self.requests: dict[str, type[Message]] = {AssessVersion.__name__: AssessVersion}

    def answer(self, request: Message, caller: "Caller") -> Message:
        """Judges for the runs of the environment, and for nobody else.

        Raises:
            AccessRefused: another user asks, or the stage has no checks.
            VaultError: the version cannot be read.
        """
        if not isinstance(request, AssessVersion):
            raise AccessRefused("the assessor judges versions, and answers nothing else")
        if self._client.settings.run_users.get(request.environment) != caller.login:
            raise AccessRefused("only the runs of an environment have its versions judged")
        if request.stage not in _JUDGES or request.project not in self._client.projects:
            raise AccessRefused("there is nothing of that name to be judged")
        judge = _JUDGES[request.stage](self._client.projects[request.project].seen_in(request.environment))
        environment, project = request.environment, request.project
        run_id = f"assessment-{secrets.token_hex(16)}"
        with self._lock:
            ticket = self._client.ticket(
                environment=environment, project=project, run_id=run_id, stages=(request.stage,)
            )
            door = self._client.door(environment=environment, project=project, run_id=run_id, ticket=ticket)
            assessed = assess(door, request.stage, request.partition, judge, checks=request.checks)
        return VersionAssessed(
            version_id=assessed.version_id,
            judged=tuple(_judged(judgement, index) for judgement, index in assessed.recorded),
        )


class RemoteAssessor:
    """The assessor, as the runs' processes see it.

    Args:
        socket: carries the messages.
    """

    def __init__(self, socket: Kernel) -> None:
        self._socket = socket

    def __call__(
        self, environment: str, project: str, stage: Stage, partition: str, checks: Collection[str]
    ) -> Assessed:
        """What the assessor found on the head of an address.

        Raises:
            AccessRefused: it does not judge for this user.
            KernelUnavailable: it does not answer.
        """
        answer = self._socket.send(
            AssessVersion(
                environment=environment,
                project=project,
                stage=stage,
                partition=partition,
                checks=tuple(sorted(checks)),
            )
        )
        if not isinstance(answer, VersionAssessed):
            raise TypeError(f"the assessor answered {type(answer).__name__} where VersionAssessed was due")
        return Assessed(answer.version_id, tuple((_judgement(judged), judged.audit_index) for judged in answer.judged))


def _judged(judgement: Judgement, audit_index: int) -> Judged:
    return Judged(
        check=judgement.check,
        passed=judgement.passed,
        words=Redactor().redact(judgement.words),
        blocking=judgement.blocking,
        facts=dict(judgement.facts),
        table=tuple(dict(row) for row in judgement.table),
        pictures=dict(judgement.pictures),
        audit_index=audit_index,
    )


def _judgement(judged: Judged) -> Judgement:
    return Judgement(
        judged.check, judged.passed, judged.words, judged.blocking, judged.facts, judged.table, judged.pictures
    )
