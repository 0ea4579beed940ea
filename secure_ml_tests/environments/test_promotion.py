"""What runs in training and production was promoted there: this policy, this code, by somebody who did not make it."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.access.promotions import Promotion
from secure_ml.access.stages import CHECKS, Stage
from secure_ml.audit.errors import AuditLogTampered
from secure_ml.vault.errors import AccessRefused, ChecksNotPassed, NothingThere, StaleVersion, Tampered
from secure_ml.vault.promotion import EvidenceAttested, attest, list_promotions, promote
from secure_ml_tests.environments.staged import Staged, make_staged, open_staged, own_tables
from secure_ml_tests.fakes.small_project import PROJECT, Attributes, attributes, write_policy


def evidence_of(staged: Staged, environment: str = "test", *, login: str = "engineer") -> EvidenceAttested:
    return attest(staged.kernel_of(login), environment=environment, project=PROJECT)


def let_in(
    staged: Staged, environment: str = "training", *, login: str = "engineer", given: EvidenceAttested | None = None
) -> Promotion:
    """Promotes by what the project came to in the environment before."""
    found = given or evidence_of(staged, {"training": "test", "production": "training"}[environment], login=login)
    place = {"environment": environment, "project": PROJECT}
    return promote(staged.kernel_of(login), **place, evidence=found.evidence, signature=found.signature)


@pytest.fixture(scope="module", autouse=True)
def code() -> Iterator[None]:
    """The code of these tests is one, whoever edits the checkout meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
        yield


@pytest.fixture(scope="module")
def _tested(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    staged = make_staged(tmp_path_factory.mktemp("tested"))
    staged.run("test")
    return staged


@pytest.fixture
def tested(_tested: Staged, tmp_path: Path) -> Staged:
    """A copy of an installation in which the maker has brought the project to the end in test."""
    for name in ("home", "keys", "defs", "actors.yaml"):
        source, target = _tested.root / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return open_staged(tmp_path)


def last(staged: Staged, action: str) -> tuple[str, str, str | None]:
    entry = [entry for entry in staged.installation.log.entries() if entry.action == action][-1]
    return entry.resource, entry.outcome, entry.actor


@pytest.mark.parametrize("environment", ["training", "production"])
def test_what_was_not_promoted_does_not_start(tmp_path: Path, environment: str) -> None:
    staged = make_staged(tmp_path)
    with pytest.raises(AccessRefused, match=f"clinic was not promoted to {environment} at all: run it in"):
        staged.start(environment)
    assert last(staged, "run.start") == (f"{environment}/{PROJECT}", "refused", "person:maker-1")


def test_development_and_test_run_freely(tmp_path: Path) -> None:
    staged = make_staged(tmp_path)
    staged.start("development", run_id="a")
    staged.start("test", run_id="b")


def test_a_promoted_project_runs_there_and_no_further(tested: Staged) -> None:
    promotion = let_in(tested)
    assert (promotion.environment, promotion.recorded_by) == ("training", "person:engineer-1")
    assert promotion.evidence.made_by == ("person:maker-1",)
    assert [version.stage for version in promotion.evidence.versions] == [str(stage) for stage in Stage]
    tested.run("training", run_id="run-2")
    with pytest.raises(AccessRefused, match="was not promoted to production at all"):
        tested.start("production", run_id="run-3")
    let_in(tested, "production", login="officer")
    tested.start("production", run_id="run-4")
    place, outcome, who = last(tested, "promotion.record")
    assert (place, outcome, who) == (f"production/{PROJECT}", "done", "person:officer-1")


def test_it_is_known_after_a_restart_and_listed(tested: Staged) -> None:
    promotion = let_in(tested)
    again = tested.reopened()
    again.start("training", run_id="run-2")
    assert list_promotions(again.kernel_of("officer"), environment="training", project=PROJECT) == ((promotion, True),)


def test_who_made_the_runs_does_not_promote_them(tested: Staged) -> None:
    with pytest.raises(AccessRefused, match="needs another person than the one who made"):
        let_in(tested, login="maker")
    assert last(tested, "promotion.record") == (f"training/{PROJECT}", "refused", "person:maker-1")
    with pytest.raises(AccessRefused, match="was not promoted"):
        tested.start("training", run_id="run-2")


def test_one_who_made_a_part_of_it_does_not_either(tested: Staged) -> None:
    tested.write("test", Stage.REGISTERED, run_id="part", person="engineer")
    assert json.loads(evidence_of(tested).evidence)["made_by"] == ["person:engineer-1", "person:maker-1"]
    with pytest.raises(AccessRefused, match="needs another person"):
        let_in(tested)


@pytest.mark.parametrize(
    ("environment", "login"), [("training", "scientist"), ("training", "officer"), ("training", "judge")]
)
def test_it_takes_the_role(tested: Staged, environment: str, login: str) -> None:
    with pytest.raises(AccessRefused, match="is not among what the role"):
        let_in(tested, environment, login=login, given=evidence_of(tested))


def change_policy(staged: Staged, change: Callable[[Attributes], None]) -> Staged:
    content = attributes()
    own_tables(content)
    change(content)
    write_policy(staged.root / "defs" / PROJECT, content)
    return staged.reopened()


def test_another_policy_needs_another_promotion(tested: Staged) -> None:
    let_in(tested)
    changed = change_policy(tested, lambda content: content.update(split={"test": 0.3}))
    with pytest.raises(AccessRefused, match="was not promoted to training with this policy and this code"):
        changed.start("training", run_id="run-2")
    ((_, holds),) = list_promotions(changed.kernel_of("officer"), environment="training", project=PROJECT)
    assert not holds
    with pytest.raises(StaleVersion):
        let_in(changed)


def test_another_table_of_test_needs_none(tested: Staged) -> None:
    let_in(tested)
    other = {"source": {"format": "csv", "path": "table-of-test.csv"}}
    changed = change_policy(tested, lambda content: content["environments"].update(test=other))
    changed.start("training", run_id="run-2")


def test_other_code_needs_another_promotion(tested: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    given = evidence_of(tested)
    let_in(tested)
    monkeypatch.setattr("secure_ml.installation.package_digest", lambda: "f" * 64)
    changed = tested.reopened()
    with pytest.raises(AccessRefused, match="with this policy and this code"):
        changed.start("training", run_id="run-2")
    with pytest.raises(AccessRefused, match="the evidence is of other code than is installed here"):
        let_in(changed, given=given)
    with pytest.raises(AccessRefused, match="made with other code than today's"):
        evidence_of(changed)


def test_evidence_of_which_one_version_was_made_with_other_code_is_none(
    tested: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_ml.installation.package_digest", lambda: "f" * 64)
    changed = tested.reopened()
    changed.write("test", Stage.REGISTERED, run_id="later")
    with pytest.raises(AccessRefused, match="materialise all stages again"):
        evidence_of(changed)


def test_there_is_no_evidence_without_a_registered_model(tmp_path: Path) -> None:
    with pytest.raises(NothingThere):
        evidence_of(make_staged(tmp_path))


@pytest.mark.parametrize("stage", [Stage.MASKED, Stage.VALIDATED])
def test_a_failed_check_anywhere_below_the_model_closes_the_way(tested: Staged, stage: Stage) -> None:
    given = evidence_of(tested)
    tested.judge("test", stage, failing=("minimisation", "fairness"))
    with pytest.raises(ChecksNotPassed):
        evidence_of(tested)
    assert last(tested, "promotion.attest")[1] == "failed"
    assert let_in(tested, given=given).evidence.warned == ()


def test_what_only_warned_is_told(tested: Staged) -> None:
    tested.judge("test", Stage.VALIDATED, failing=("fairness",), blocking=False)
    assert let_in(tested).evidence.warned == ("validated.fairness",)


def test_evidence_of_another_environment_does_not_count(tested: Staged) -> None:
    given = evidence_of(tested)
    let_in(tested, given=given)
    with pytest.raises(AccessRefused, match=f"the evidence is not of training/{PROJECT}"):
        let_in(tested, "production", login="officer", given=given)
    with pytest.raises(AccessRefused, match="nothing is promoted from development"):
        evidence_of(tested, "development")


def forged(given: EvidenceAttested, **changed: object) -> EvidenceAttested:
    body = json.dumps({**json.loads(given.evidence), **changed}, sort_keys=True, separators=(",", ":")).encode()
    return given.model_copy(update={"evidence": body})


@pytest.mark.parametrize("changed", [{"made_by": []}, {"environment": "training"}, {"policy_digest": "0" * 64}])
def test_edited_evidence_is_refused(tested: Staged, changed: dict[str, object]) -> None:
    with pytest.raises(AccessRefused, match="bears the signature of no kernel that is believed here"):
        let_in(tested, given=forged(evidence_of(tested), **changed))
    assert last(tested, "promotion.record") == (f"training/{PROJECT}", "failed", "person:engineer-1")


def test_another_statement_of_the_same_kernel_is_no_evidence(tested: Staged) -> None:
    given = evidence_of(tested)
    body, signature = _row(tested, "select body, signature from manifests limit 1")
    with pytest.raises(AccessRefused, match="bears the signature of no kernel"):
        let_in(tested, given=given.model_copy(update={"evidence": body, "signature": signature}))


def test_the_kernel_of_the_environment_before_can_be_another_one(tested: Staged, tmp_path: Path) -> None:
    """Two installations of the same project, as development and production are kept apart."""
    other = make_staged(tmp_path / "other")
    given = evidence_of(tested)
    with pytest.raises(AccessRefused, match="name its verifier key in SECURE_ML_ATTESTORS"):
        let_in(other, given=given)
    trusting = open_staged(tmp_path / "other", attestors=(given.verifier_key,))
    promotion = let_in(trusting, given=given)
    assert promotion.attested_by == given.verifier_key
    with pytest.raises(AccessRefused, match="needs another person"):
        let_in(trusting, login="maker", given=given)
    trusting.start("training", run_id="run-2")


def _row(staged: Staged, query: str) -> tuple[bytes, ...]:
    with sqlite3.connect(staged.root / "home" / "state" / "state.db") as state:
        return tuple(state.execute(query).fetchone())


def _edit(staged: Staged, statement: str, *values: object) -> None:
    with sqlite3.connect(staged.root / "home" / "state" / "state.db") as state:
        assert state.execute(statement, values).rowcount > 0


def test_a_promotion_that_was_moved_to_another_environment_is_told(tested: Staged) -> None:
    let_in(tested)
    _edit(tested, "update promotions set environment = 'production'")
    with pytest.raises(Tampered, match="is not the one that the audit log recorded"):
        tested.start("production", run_id="run-2")
    with pytest.raises(AccessRefused, match="was not promoted to training at all"):
        tested.start("training", run_id="run-3")


def test_an_edited_promotion_is_told(tested: Staged) -> None:
    promotion = let_in(tested)
    _edit(tested, "update promotions set body = ?", replace(promotion, environment="production").to_bytes())
    with pytest.raises(Tampered, match="does not bear this installation's signature"):
        tested.start("training", run_id="run-2")


def test_a_promotion_that_the_log_does_not_know_is_told(tested: Staged, tmp_path: Path) -> None:
    """Signed by the right key, and put there by nobody who asked: as if another state's row were inserted."""
    promotion = let_in(tested)
    unknown = replace(promotion, promotion_id="0" * 32)
    signature = tested.installation.signing_key.sign(unknown.to_bytes(), kind="promotion.v1")
    _edit(
        tested,
        "insert into promotions values (?, 'training', ?, ?, ?, ?)",
        unknown.promotion_id, PROJECT, unknown.to_bytes(), signature, unknown.audit_index,
    )  # fmt: skip
    with pytest.raises(Tampered, match="is not the one that the audit log recorded"):
        tested.start("training", run_id="run-2")


def test_a_removed_promotion_lets_nothing_run(tested: Staged) -> None:
    let_in(tested)
    _edit(tested, "delete from promotions")
    with pytest.raises(AccessRefused, match="was not promoted to training at all"):
        tested.start("training", run_id="run-2")


def test_an_actor_that_was_changed_beside_the_log_is_told(tested: Staged) -> None:
    """Whoever could write the state would else take themselves out of the evidence."""
    _edit(tested, "update audit_entries set actor = 'person:somebody-else' where actor = 'person:maker-1'")
    with pytest.raises(AuditLogTampered, match="the actor is not the one committed to"):
        let_in(tested, login="maker")


def test_without_its_makers_there_is_no_evidence(tested: Staged) -> None:
    _edit(tested, "update audit_entries set actor = null where actor = 'person:maker-1'")
    with pytest.raises(AccessRefused, match="was erased from the log"):
        evidence_of(tested)


def test_who_judges_needs_no_promotion(tested: Staged) -> None:
    place = {"environment": "training", "project": PROJECT, "run_id": "assessment-1"}
    assert tested.client_of("judge").ticket(**place, stages=(Stage.RAW,)).body


def test_in_the_profile_personal_the_only_user_records_it_and_nothing_waits_for_it(tmp_path: Path) -> None:
    make_staged(tmp_path)
    alone = open_staged(tmp_path, actors=None, promotion_required=False)
    assert alone.installation.door(environment="production", project=PROJECT, run_id="first")
    door = alone.installation.door(environment="test", project=PROJECT, run_id="second")
    for stage in Stage:
        door.write(stage, "", alone.made(stage, door))
        manifest, _ = door.assess(stage, "") if CHECKS[stage] else (None, None)
        for check in CHECKS[stage]:
            door.record_verdict(manifest, check=check, passed=True, blocking=True, facts={})
    kernel = alone.installation.kernel
    found = attest(kernel, environment="test", project=PROJECT)
    place = {"environment": "training", "project": PROJECT}
    promotion = promote(kernel, **place, evidence=found.evidence, signature=found.signature)
    assert promotion.evidence.made_by == (promotion.recorded_by,)
    assert list_promotions(kernel, **place) == ((promotion, True),)
