"""Every message that moves data, keys or rights, to a kernel whose log takes no entry: nothing moves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from secure_ml.access.stages import CHECKS, Stage
from secure_ml.audit.log import AuditLog
from secure_ml.keys.environment_keys import EnvironmentKey
from secure_ml.keys.store import KeyStore
from secure_ml.privacy.charging import BudgetCharged, ChargeBudget, DescribeBudget
from secure_ml.protection.mask.revealing import RevealValue
from secure_ml.state.errors import StateError
from secure_ml.vault import messages as m
from secure_ml.vault.audit_reading import ReadAuditEntries
from secure_ml.vault.damage_reporting import ReportDamage
from secure_ml.vault.describing import DescribeProject, RecordDrafting, VerifyLog
from secure_ml.vault.door import Door
from secure_ml.vault.egress_reporting import ReportEgress
from secure_ml.vault.exploring import OpenForActor, ReleaseForActor
from secure_ml.vault.granting import ApproveGrant, ListGrants, RequestGrant, RevokeGrant, change_grant
from secure_ml.vault.key_custody import DescribeKeys, DestroyKeys, RecoverKeys, RewrapKeys, RotateKeys
from secure_ml.vault.manifest import Address
from secure_ml.vault.messages import Kernel, Message
from secure_ml.vault.posture_reading import DescribePosture
from secure_ml.vault.promotion import AttestEvidence, ListPromotions, RecordPromotion, attest
from secure_ml_tests.environments.finished import ENVIRONMENT, copy_finished, make_finished
from secure_ml_tests.environments.staged import RUN_USERS, Staged
from secure_ml_tests.fakes.reversible_columns import masked_cell
from secure_ml_tests.fakes.small_project import PROJECT, attributes, rows

PLACE = {"environment": ENVIRONMENT, "project": PROJECT}
PURPOSE = attributes()["purpose"]


class Withheld(Exception):
    """The message was kept."""


@dataclass
class Withholding:
    """A kernel that a message of one class does not reach, nor what follows it."""

    kernel: Kernel
    kind: type[Message]
    kept: Message | None = None

    def send(self, request: Message) -> Message:
        if self.kept is None and not isinstance(request, self.kind):
            return self.kernel.send(request)
        self.kept = self.kept or request
        raise Withheld


Asked = tuple[str, Message]
"""Who asks, and what."""


def sent(staged: Staged, kind: type[Message], act: Callable[[Door], object], *, judges: bool = False) -> Asked:
    """What the door of a run, or of an assessment, sends to the kernel when it acts; all before that was answered."""
    stages = (Stage.CLASSIFIED,) if judges else tuple(Stage)
    place = {**PLACE, "run_id": f"run-of-{kind.__name__}"}
    ticket = staged.client_of("judge" if judges else "maker").ticket(**place, stages=stages)
    login = "judge" if judges else RUN_USERS[ENVIRONMENT]
    kernel, there = Withholding(staged.kernel_of(login), kind), staged.installation
    policy = there.policy_of(PROJECT).seen_in(ENVIRONMENT)
    with pytest.raises(Withheld):
        act(Door(kernel, root=there.settings.vault, environment=ENVIRONMENT, policy=policy, ticket=ticket))
    assert isinstance(kernel.kept, kind)
    return login, kernel.kept


def head(staged: Staged, stage: Stage) -> str:
    """The id of the version that is read."""
    return staged.installation.versions.head(Address(ENVIRONMENT, PROJECT, stage, ""))[0].version_id


def writing(staged: Staged, kind: type[Message], *, whole: bool = True) -> Asked:
    def act(door: Door) -> None:
        made = staged.made(Stage.CLASSIFIED, door)
        door.write(Stage.CLASSIFIED, "", made if whole else replace(made, open=break_off))

    return sent(staged, kind, act)


def break_off(columns: object) -> Iterator[pa.RecordBatch]:
    raise OSError


def judging(staged: Staged) -> Asked:
    def act(door: Door) -> None:
        manifest, _ = door.assess(Stage.CLASSIFIED, "")
        check = CHECKS[Stage.CLASSIFIED][0]
        door.record_verdict(manifest, check=check, passed=False, blocking=True, facts={})

    return sent(staged, m.RecordVerdict, act, judges=True)


def charging(staged: Staged) -> Asked:
    amounts = {"epsilon": "1", "delta": "0.000001", "description": "a training"}
    return sent(staged, ChargeBudget, lambda door: door.send(ChargeBudget, BudgetCharged, **amounts))


def asking(purpose: str = PURPOSE) -> RequestGrant:
    fields = {"stage": Stage.MASKED, "columns": ("income",), "hours": 8, "reason": "two rows fail the schema"}
    return RequestGrant.model_validate({**PLACE, **fields, "purpose": purpose})


def granted(staged: Staged, kind: type[ApproveGrant] | type[RevokeGrant]) -> Asked:
    grant = change_grant(staged.kernel_of("scientist"), asking())
    return "steward", kind(**PLACE, grant_id=grant.grant_id)


def looking(kind: type[OpenForActor], **fields: object) -> Asked:
    look = {"stage": Stage.MASKED, "partition": "", "columns": ("region",), "sections": (), "purpose": PURPOSE}
    return "scientist", kind.model_validate({**PLACE, **look, **fields})


def revealing(staged: Staged) -> Asked:
    cell = masked_cell(staged.installation, "email", rows()[7]["email"])
    why = {"case": "K-47/11", "reason": "the member has to be told"}
    return "steward", RevealValue(**PLACE, partition="", column="email", masked_value=cell, **why)


def promoting(staged: Staged) -> Asked:
    found = attest(staged.kernel_of("officer"), **PLACE)
    place = {"environment": "production", "project": PROJECT}
    return "officer", RecordPromotion(**place, evidence=found.evidence, signature=found.signature)


def recovering(staged: Staged) -> Asked:
    """A copy of the key store from before something was destroyed is put back."""
    store = staged.installation.settings.key_store_file
    assert store is not None
    copy = store.read_bytes()
    staged.installation.keys.destroy(head(staged, Stage.RAW))
    store.write_bytes(copy)
    return "keeper", RecoverKeys(reason="a restored backup")


MOVES: dict[type[Message], Callable[[Staged], Asked]] = {
    m.IssueTicket: lambda staged: ("maker", m.IssueTicket(**PLACE, run_id="another", stages=(Stage.RAW,))),
    m.RecordSource: lambda staged: sent(staged, m.RecordSource, lambda door: staged.made(Stage.RAW, door)),
    m.OpenVersion: lambda staged: sent(staged, m.OpenVersion, lambda door: staged.made(Stage.CLASSIFIED, door)),
    m.ReleaseKeys: lambda staged: sent(
        staged, m.ReleaseKeys, lambda door: door.open(Stage.RAW, "", by=Stage.CLASSIFIED).read()
    ),
    m.DescribeLineage: lambda staged: sent(
        staged, m.DescribeLineage, lambda door: door.lineage(door.open(Stage.TRAINED, "", by=Stage.VALIDATED))
    ),
    m.DeriveKey: lambda staged: sent(staged, m.DeriveKey, lambda door: door.derive_key("subject", by=Stage.SPLIT)),
    m.BeginWrite: lambda staged: writing(staged, m.BeginWrite),
    m.CommitWrite: lambda staged: writing(staged, m.CommitWrite),
    m.AbandonWrite: lambda staged: writing(staged, m.AbandonWrite, whole=False),
    m.RecordVerdict: judging,
    ChargeBudget: charging,
    ReportDamage: lambda staged: sent(
        staged, ReportDamage, lambda door: door.send(ReportDamage, m.Recorded, version_id=head(staged, Stage.RAW))
    ),
    ReportEgress: lambda staged: sent(
        staged, ReportEgress, lambda door: door.send(ReportEgress, m.Recorded, kind="connect", host="10.0.0.1", port=80)
    ),
    RequestGrant: lambda staged: ("scientist", asking()),
    ApproveGrant: lambda staged: granted(staged, ApproveGrant),
    RevokeGrant: lambda staged: granted(staged, RevokeGrant),
    ListGrants: lambda staged: ("steward", ListGrants(**PLACE, own=False)),
    OpenForActor: lambda staged: looking(OpenForActor),
    ReleaseForActor: lambda staged: looking(ReleaseForActor, version_id=head(staged, Stage.MASKED)),
    RevealValue: revealing,
    AttestEvidence: lambda staged: ("officer", AttestEvidence(**PLACE)),
    RecordPromotion: promoting,
    ReadAuditEntries: lambda staged: ("auditor", ReadAuditEntries(start=0)),
    RecordDrafting: lambda staged: ("steward", RecordDrafting(project=PROJECT)),
    RotateKeys: lambda staged: ("keeper", RotateKeys(environments=(ENVIRONMENT,), epochs={})),
    RewrapKeys: lambda staged: ("keeper", RewrapKeys(environments=(), to="")),
    DestroyKeys: lambda staged: (
        "dpo",
        DestroyKeys(version_id=head(staged, Stage.RAW), reason="an erasure", even_if_read=True),
    ),
    RecoverKeys: recovering,
}
TELLS: dict[type[Message], Asked] = {
    DescribeProject: ("auditor", DescribeProject(**PLACE)),
    DescribeBudget: ("auditor", DescribeBudget(**PLACE)),
    DescribeKeys: ("auditor", DescribeKeys()),
    DescribePosture: ("auditor", DescribePosture()),
    ListPromotions: ("auditor", ListPromotions(environment="production", project=PROJECT)),
    VerifyLog: ("auditor", VerifyLog(earlier_checkpoint=None)),
}
"""What is told without an entry: how things stand. No row, no key, and nothing that is another's to permit."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    with pytest.MonkeyPatch.context() as patched:
        # The code of these tests is one, whoever edits the checkout meanwhile.
        patched.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
        yield make_finished(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def staged(finished: Staged, tmp_path: Path) -> Staged:
    return copy_finished(finished, tmp_path)


@contextmanager
def log_unavailable() -> Iterator[list[str]]:
    """The log takes no entry; yields what is done to keys meanwhile."""
    happened: list[str] = []

    def refuse(*arguments: object, **named: object) -> int:
        raise StateError("the log is unavailable")

    def noted(owner: type, name: str) -> Callable[..., object]:
        original = getattr(owner, name)

        def call(*arguments: object, **named: object) -> object:
            happened.append(f"{owner.__name__}.{name}")
            return original(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AuditLog, "append", refuse)
        for owner, name in ((EnvironmentKey, "unseal"), (KeyStore, "create"), (KeyStore, "apply"), (KeyStore, "move")):
            patched.setattr(owner, name, noted(owner, name))
        yield happened


def contents(staged: Staged) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in staged.root.rglob("*") if path.is_file()}


def test_every_message_of_the_kernel_is_tried(staged: Staged) -> None:
    assert set(MOVES) | set(TELLS) == set(staged.installation.core.requests.values())
    assert not set(MOVES) & set(TELLS)


@pytest.mark.parametrize("kind", MOVES, ids=lambda kind: kind.__name__)
def test_without_the_log_nothing_moves_and_with_it_the_same_message_is_answered(
    staged: Staged, kind: type[Message]
) -> None:
    login, request = MOVES[kind](staged)
    assert type(request) is kind
    before = contents(staged)
    with log_unavailable() as happened, pytest.raises(StateError, match="the log is unavailable"):
        staged.kernel_of(login).send(request)
    assert happened == []
    assert contents(staged) == before
    entries = staged.installation.log.size()
    staged.kernel_of(login).send(request)
    told = list(staged.installation.log.entries(start=entries))
    assert told
    assert "refused" not in {entry.outcome for entry in told if entry.action != "egress.attempt"}


@pytest.mark.parametrize("kind", TELLS, ids=lambda kind: kind.__name__)
def test_what_is_told_without_an_entry_moves_nothing(staged: Staged, kind: type[Message]) -> None:
    login, request = TELLS[kind]
    before = contents(staged)
    with log_unavailable() as happened:
        staged.kernel_of(login).send(request)
    assert happened == []
    assert contents(staged) == before
