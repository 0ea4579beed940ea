"""`roles.yaml`: what is shipped, and what is refused."""

import pytest

from secure_ml.access.actions import ON_DATA, Action, Environment
from secure_ml.access.errors import AccessError
from secure_ml.access.roles import Roles, shipped_roles
from secure_ml.access.stages import CHECKS, Stage
from secure_ml.policy.labels import Category

GOOD = """\
roles:
  looker:
    meaning: Looks at features that are not sensitive.
    held_by: person
    may:
      - actions: [version.read]
        environments: [training]
        stages: [masked]
        categories: [internal]
      - actions: [status.read]
    never: [keys.rotate]
"""


def parsed(text: str) -> Roles:
    return Roles.parse(text, name="roles.yaml")


def test_a_good_file_is_read_as_it_stands() -> None:
    role = parsed(GOOD).roles["looker"]
    assert (role.held_by, role.never) == ("person", frozenset({Action.KEYS_ROTATE}))
    assert [rule.actions for rule in role.may] == [(Action.VERSION_READ,), (Action.STATUS_READ,)]
    assert role.may[0].environments == (Environment.TRAINING,)
    assert role.may[0].stages == (Stage.MASKED,)
    assert role.may[0].categories == (Category.INTERNAL,)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[version.read]", "[version.reed]", 6, "roles.looker.may.0.actions.0: Input should be 'run.start'"),
        ("[training]", "[trainign]", 7, "roles.looker.may.0.environments.0: Input should be 'development'"),
        ("[masked]", "[masced]", 8, "roles.looker.may.0.stages.0: Input should be 'raw'"),
        ("[internal]", "[secret]", 9, "roles.looker.may.0.categories.0: Input should be 'internal'"),
        ("held_by: person", "held_by: anybody", 4, "roles.looker.held_by: Input should be 'person'"),
        ("never:", "neber:", 11, "roles.looker.neber: no such field"),
        ("  looker:", "  Looker 2:", 2, "roles.Looker 2: String should match pattern"),
        ("never: [keys.rotate]", "never: [status.read]", 2, "status.read is both allowed and never allowed"),
        ("        environments: [training]\n", "", 6, "version.read needs the environments in which it is allowed"),
        ("        stages: [masked]\n", "", 6, "version.read needs its stages"),
        ("        categories: [internal]\n", "", 6, "categories stand with version.read, alone in its rule"),
        ("[version.read]", "[version.read, run.start]", 6, "categories stand with version.read, alone in its rule"),
        ("[masked]", "[split]", 6, "sides stand with version.read of split"),
        ("[status.read]", "[status.read]\n        stages: [raw]", 10, "status.read takes no stages"),
        ("[status.read]", "[status.read]\n        environments: [test]", 10, "takes no environments"),
        ("[status.read]", "[]", 10, "roles.looker.may.1.actions: Tuple should have at least 1 item"),
        ("roles:", "roles:\n  looker: {}", 3, "looker: is written twice; keep one"),
        (GOOD, "roles: {}", 1, "roles: Dictionary should have at least 1 item"),
        (GOOD, "- a", 1, "expected the field roles"),
        (GOOD, "roles: [", 2, "not valid YAML"),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(AccessError) as caught:
        parsed(GOOD.replace(old, new))
    told = str(caught.value).splitlines()[0]
    assert told.startswith(f"roles.yaml:{line}: ")
    assert words in told


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(AccessError) as caught:
        parsed(GOOD.replace("[training]", "[nowhere]").replace("[masked]", "[nothing]"))
    assert [told.split(":")[1] for told in str(caught.value).splitlines()] == ["7", "8"]


def test_the_shipped_roles_are_those_of_the_house() -> None:
    assert list(shipped_roles().roles) == [
        "data_engineer", "data_steward", "data_scientist", "ml_engineer", "risk_officer", "data_protection_officer",
        "auditor", "admin", "schedule", "sensor", "assessor", "code_server", "security_watch",
        "sole_user",
    ]  # fmt: skip


def test_no_shipped_role_opens_a_sensitive_category_or_a_row_of_raw() -> None:
    for role in shipped_roles().roles.values():
        for rule in role.may:
            assert set(rule.categories) <= {Category.INTERNAL}
            assert Action.VERSION_READ not in rule.actions or Stage.RAW not in rule.stages


def test_an_admin_never_acts_on_data_and_an_auditor_never_changes_anything() -> None:
    roles = shipped_roles().roles
    assert roles["admin"].never >= ON_DATA
    looking = {
        Action.LOG_READ, Action.LOG_VERIFY, Action.STATUS_READ, Action.KEYS_STATUS, Action.LINEAGE_READ,
        Action.GRANT_LIST,
    }  # fmt: skip
    assert {action for rule in roles["auditor"].may for action in rule.actions} == looking
    # Reporting what tried to leave is every run's duty, and changes nothing.
    assert roles["auditor"].never | looking | {Action.EGRESS_REPORT} == set(Action)


def test_only_the_data_steward_and_the_sole_user_reveal_a_masked_value() -> None:
    roles = shipped_roles().roles
    revealing = {name for name, role in roles.items() if any(Action.VALUE_REVEAL in rule.actions for rule in role.may)}
    assert revealing == {"data_steward", "sole_user"}
    kept_out = {name for name, role in roles.items() if Action.VALUE_REVEAL in role.never}
    assert kept_out == {"admin", "auditor", "data_protection_officer"}


def test_the_assessor_judges_every_stage_that_has_checks_and_nobody_else_but_the_sole_user_judges() -> None:
    judging = {Action.VERSION_ASSESS, Action.VERDICT_RECORD}
    checked = {stage for stage in Stage if CHECKS[stage]}
    for name, role in shipped_roles().roles.items():
        rules = [rule for rule in role.may if judging & set(rule.actions)]
        assert bool(rules) == (name in {"assessor", "sole_user"})
        assert all(set(rule.stages) == checked for rule in rules)
    started = {a for rule in shipped_roles().roles["assessor"].may for a in rule.actions}
    assert started == judging | {Action.EGRESS_REPORT}


def test_the_digest_is_that_of_the_text() -> None:
    assert parsed(GOOD).digest == parsed(GOOD).digest != parsed(GOOD + "# a word\n").digest
    assert len(shipped_roles().digest) == 64
