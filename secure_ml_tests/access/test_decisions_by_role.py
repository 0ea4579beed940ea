"""Decisions by role, purpose, environment and grant: examples first, then what holds for every combination."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.access.actions import BY_ANOTHER, EVERYWHERE, ON_DATA, Environment
from secure_ml.access.actors import Actor, sole_user
from secure_ml.access.decisions import Action, Context, Decision, Resource, decide
from secure_ml.access.grants import GRANTABLE, Grant
from secure_ml.access.roles import shipped_roles
from secure_ml.access.stages import SIDES, Stage
from secure_ml.policy.labels import Category

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
PURPOSE = "decide on invented membership applications"
ROLES = shipped_roles().roles
SENSITIVE = {"pii", "financial", "health"}


def person(*roles: str, name: str = "person:a") -> Actor:
    return Actor(name, frozenset(roles))


def service(role: str) -> Actor:
    return Actor(f"service:{role}", frozenset({role}))


def run(actor: Actor, environment: str, *stages: Stage) -> Decision:
    return decide(actor, Action.RUN_START, Resource(environment, "clinic", stages=stages), Context(NOW))


def look(actor: Actor, stage: Stage, categories: dict[str, str], *grants: Grant, **changes: Any) -> Decision:
    place = {"environment": "training", "project": "clinic", "stage": stage, "purpose": PURPOSE}
    sections = ("train",) if stage is Stage.SPLIT else ()
    resource = Resource(**{**place, "sections": sections, "categories": categories, **changes})
    return decide(actor, Action.VERSION_READ, resource, Context(NOW, purpose=PURPOSE, grants=grants))


def granted(**changes: Any) -> Grant:
    asked = Grant(
        grant_id="ab" * 16,
        environment="training",
        project="clinic",
        stage=Stage.RAW,
        columns=("email", "income"),
        purpose=PURPOSE,
        hours=8,
        requested_by="person:a",
        requested_at=NOW - timedelta(hours=2),
        reason="two rows fail the schema",
    )
    return replace(asked.approved(by="person:b", now=NOW - timedelta(hours=1)), **changes)


ENGINEERS = (Stage.RAW, Stage.CLASSIFIED, Stage.MASKED)
SCIENTISTS = (Stage.SPLIT, Stage.TRAINED, Stage.VALIDATED)


@pytest.mark.parametrize(
    ("actor", "environment", "stages", "expected"),
    [
        (person("data_engineer"), "production", ENGINEERS, True),
        (person("data_engineer"), "training", (*ENGINEERS, Stage.SPLIT), False),
        (person("data_scientist"), "training", SCIENTISTS, True),
        (person("data_scientist"), "training", (*SCIENTISTS, Stage.REGISTERED), False),
        (person("data_scientist"), "production", SCIENTISTS, False),
        (person("ml_engineer"), "production", (*SCIENTISTS, Stage.REGISTERED), True),
        (person("ml_engineer"), "production", (Stage.MASKED,), False),
        (person("data_engineer", "ml_engineer"), "training", tuple(Stage), True),
        (person("data_steward"), "training", (Stage.MASKED,), False),
        (person("risk_officer"), "training", (Stage.VALIDATED,), False),
        (service("schedule"), "production", ENGINEERS, True),
        (service("schedule"), "production", (Stage.TRAINED,), False),
        (service("sensor"), "production", (Stage.CLASSIFIED, Stage.MASKED), True),
        (service("sensor"), "production", (Stage.RAW,), False),
        (service("assessor"), "production", (Stage.MASKED,), False),
        (service("code_server"), "production", (Stage.MASKED,), False),
        (sole_user("someone"), "training", tuple(Stage), True),
        (person("data_engineer"), "training", (), False),
        (person("data_engineer"), "", ENGINEERS, False),
        (person("data_engineer"), "staging", ENGINEERS, False),
    ],
)
def test_a_run_is_started_by_the_role_of_all_its_stages(
    actor: Actor, environment: str, stages: tuple[Stage, ...], expected: bool
) -> None:
    assert run(actor, environment, *stages).allowed == expected


def test_a_data_scientist_looks_at_features_that_are_not_sensitive_and_at_no_others() -> None:
    scientist = person("data_scientist")
    assert look(scientist, Stage.MASKED, {"region": "internal"}) == Decision(True, "by the role data_scientist")
    assert look(scientist, Stage.SPLIT, {"region": "internal"}).allowed
    for category in ("pii", "financial", "health", "financial_pii", "internal_pii", "unheard_of", ""):
        assert not look(scientist, Stage.MASKED, {"region": "internal", "other": category}).allowed
    for side in (("test",), ("validation",), ("train", "test"), ()):
        assert not look(scientist, Stage.SPLIT, {"region": "internal"}, sections=side).allowed
    assert not look(scientist, Stage.MASKED, {"region": "internal"}, sections=("train",)).allowed
    assert not look(scientist, Stage.MASKED, {}).allowed
    assert not look(scientist, Stage.RAW, {"region": "internal"}).allowed
    assert not look(scientist, Stage.MASKED, {"region": "internal"}, environment="production").allowed


def test_data_is_looked_at_for_its_policys_purpose_only() -> None:
    resource = Resource("training", "clinic", Stage.MASKED, categories={"region": "internal"}, purpose=PURPOSE)
    for stated, declared in ((PURPOSE, ""), ("", PURPOSE), ("", ""), (" ", " "), ("marketing", PURPOSE)):
        context = Context(NOW, purpose=stated)
        assert not decide(
            person("data_scientist"), Action.VERSION_READ, replace(resource, purpose=declared), context
        ).allowed
    assert decide(person("data_scientist"), Action.VERSION_READ, resource, Context(NOW, purpose=PURPOSE)).allowed


def test_raw_is_opened_by_an_open_grant_and_the_log_learns_which() -> None:
    scientist, columns = person("data_scientist"), {"email": "pii", "income": "financial"}
    assert look(scientist, Stage.RAW, columns, granted()) == Decision(True, f"by the approved grant {'ab' * 16}")
    assert look(scientist, Stage.RAW, {"email": "pii"}, granted()).allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"approved_by": "", "approved_at": None},
        {"approved_at": NOW - timedelta(hours=8)},
        {"approved_at": NOW + timedelta(seconds=1)},
        {"revoked_at": NOW - timedelta(seconds=1), "revoked_by": "person:b"},
        {"environment": "test"},
        {"project": "loans"},
        {"stage": Stage.MASKED},
        {"purpose": "marketing"},
        {"columns": ("email",)},
        {"columns": ("email", "income_band")},
        {"requested_by": "person:c"},
    ],
    ids=str,
)
def test_a_grant_that_does_not_fit_opens_nothing(changes: dict[str, Any]) -> None:
    columns = {"email": "pii", "income": "financial"}
    assert not look(person("data_scientist"), Stage.RAW, columns, granted(**changes)).allowed


def test_a_look_is_allowed_by_role_and_grants_together_column_by_column() -> None:
    columns = {"region": "internal", "income": "financial", "email": "pii"}
    masked = granted(stage=Stage.MASKED)
    told = look(person("data_scientist"), Stage.MASKED, columns, masked)
    assert told == Decision(True, f"by the approved grant {'ab' * 16}; by the role data_scientist")
    email = granted(stage=Stage.MASKED, columns=("email",))
    income = granted(stage=Stage.MASKED, columns=("income",), grant_id="cd" * 16)
    told = look(person("data_scientist"), Stage.MASKED, columns, email, income)
    assert told.reason == f"by the approved grant {'ab' * 16}, {'cd' * 16}; by the role data_scientist"
    told = look(person("data_scientist"), Stage.MASKED, columns, email)
    assert told == Decision(False, "no role or open grant of the actor opens the columns income of masked")


def test_a_grant_opens_no_side_of_the_split_but_the_trainers() -> None:
    split = granted(stage=Stage.SPLIT)
    assert look(person("ml_engineer"), Stage.SPLIT, {"income": "financial"}, split).allowed
    for side in (("test",), ("validation",), ("train", "test")):
        assert not look(person("ml_engineer"), Stage.SPLIT, {"income": "financial"}, split, sections=side).allowed


@pytest.mark.parametrize("roles", [("auditor",), ("data_steward",), ("risk_officer",), ("admin", "data_scientist")])
def test_a_grant_is_gone_with_the_role_that_it_was_asked_for_under(roles: tuple[str, ...]) -> None:
    assert not look(person(*roles), Stage.RAW, {"email": "pii"}, granted()).allowed


def approve(actor: Actor, *made_by: str, action: Action = Action.MODEL_APPROVE) -> Decision:
    return decide(actor, action, Resource("training", "clinic"), Context(NOW, made_by=frozenset(made_by)))


def test_who_trained_does_not_approve() -> None:
    officer = person("risk_officer", "ml_engineer")
    assert approve(officer, "person:b").allowed
    assert "needs another person" in approve(officer, "person:a").reason
    assert not approve(officer, "person:a", "person:b").allowed
    assert "needs to know who made" in approve(officer).reason
    assert not approve(person("ml_engineer"), "person:b").allowed


def test_who_asks_for_a_grant_does_not_approve_it() -> None:
    both = person("data_steward", "data_scientist")
    assert approve(both, "person:b", action=Action.GRANT_APPROVE).allowed
    assert not approve(both, "person:a", action=Action.GRANT_APPROVE).allowed
    assert not approve(person("data_steward", "admin"), "person:b", action=Action.GRANT_APPROVE).allowed


def test_ones_own_grant_is_given_back_and_seen_without_the_role_for_others() -> None:
    for action in (Action.GRANT_REVOKE, Action.GRANT_LIST):
        assert approve(person("data_scientist"), "person:a", action=action).reason == "it is the actor's own grant"
        assert not approve(person("data_scientist"), "person:b", action=action).allowed
        assert not approve(person("risk_officer"), "person:a", action=action).allowed


@pytest.mark.parametrize("action", sorted(ON_DATA & {Action.GRANT_REQUEST, *BY_ANOTHER}))
def test_the_sole_user_lacks_only_what_needs_a_second_person(action: Action) -> None:
    resource = Resource("training", "clinic", Stage.RAW, purpose=PURPOSE)
    context = Context(NOW, purpose=PURPOSE, made_by=frozenset({"person:b"}))
    told = decide(sole_user("someone"), action, resource, context)
    assert not told.allowed
    assert "needs a second person" in told.reason


def test_the_sole_user_is_told_as_such() -> None:
    told = run(sole_user("someone"), "training", *Stage)
    assert told == Decision(True, "the only user of a personal installation")


@pytest.mark.parametrize(
    "actor",
    [
        person(),
        person("owner"),
        person("data_engineer", "owner"),
        person("sole_user"),
        person("assessor"),
        person("data_engineer", "schedule"),
        Actor("service:a", frozenset({"data_engineer"})),
        Actor("os-user:a", frozenset({"data_engineer"})),
        Actor("a", frozenset({"data_engineer"})),
        Actor("", frozenset({"data_engineer"})),
        person("data_engineer", ""),
    ],
    ids=range(11),
)
def test_an_unknown_role_or_one_of_another_kind_of_actor_allows_nothing(actor: Actor) -> None:
    assert not run(actor, "training", Stage.MASKED).allowed
    assert not decide(actor, Action.STATUS_READ, Resource(), Context(NOW)).allowed


def test_an_unknown_action_or_environment_is_refused() -> None:
    told = decide(person("auditor"), "log.erase", Resource(), Context(NOW))  # type: ignore[arg-type]
    assert told == Decision(False, "there is no such action")
    assert not decide(person("auditor"), Action.LOG_READ, Resource("staging"), Context(NOW)).allowed
    assert decide(person("auditor"), Action.LOG_READ, Resource("training"), Context(NOW)).allowed


def test_a_time_without_a_zone_decides_nothing() -> None:
    with pytest.raises(ValueError, match="time with its zone"):
        Context(NOW.replace(tzinfo=None))


# What holds for every combination.

NAMES = ["person:a", "person:b", "service:a", "os-user:a"]
actors = st.builds(
    Actor,
    st.sampled_from(NAMES),
    st.frozensets(st.sampled_from([*ROLES, "owner"]), max_size=4),
)
people = st.builds(
    Actor,
    st.sampled_from(NAMES[:2]),
    st.frozensets(st.sampled_from([name for name, role in ROLES.items() if role.held_by == "person"]), max_size=4),
)
categories = st.one_of(
    st.sampled_from(list(Category)),
    st.frozensets(st.sampled_from(list(Category)), min_size=2).map(lambda some: "_".join(sorted(some))),
    st.text(max_size=6),
)
resources = st.builds(
    Resource,
    environment=st.sampled_from([*Environment, "", "staging"]),
    project=st.sampled_from(["clinic", "loans"]),
    stage=st.sampled_from([*Stage, None]),
    stages=st.lists(st.sampled_from(list(Stage)), max_size=4).map(tuple),
    sections=st.lists(st.sampled_from(SIDES), max_size=2, unique=True).map(tuple),
    categories=st.dictionaries(st.sampled_from(["email", "income", "region"]), categories, max_size=3),
    purpose=st.sampled_from([PURPOSE, PURPOSE, "marketing", ""]),
)
approvals = st.sampled_from([None, NOW - timedelta(hours=3), NOW - timedelta(hours=1), NOW + timedelta(hours=1)])
grants = st.builds(
    lambda at, over, **fields: Grant(
        grant_id="ab" * 16,
        hours=2,
        requested_at=NOW - timedelta(days=1),
        reason="r",
        approved_by="person:c" if at else "",
        approved_at=at,
        revoked_by="person:c" if over else "",
        revoked_at=NOW if over else None,
        **fields,
    ),
    at=approvals,
    over=st.booleans(),
    environment=st.sampled_from(["training", "production"]),
    project=st.sampled_from(["clinic", "loans"]),
    stage=st.sampled_from(GRANTABLE),
    columns=st.frozensets(st.sampled_from(["email", "income", "region"]), min_size=1).map(sorted).map(tuple),
    purpose=st.sampled_from([PURPOSE, "marketing"]),
    requested_by=st.sampled_from(NAMES),
)
contexts = st.builds(
    Context,
    now=st.just(NOW),
    purpose=st.sampled_from([PURPOSE, PURPOSE, "marketing"]),
    grants=st.lists(grants, max_size=3).map(tuple),
    made_by=st.frozensets(st.sampled_from(NAMES), max_size=2),
)
actions = st.sampled_from(list(Action))
many = settings(max_examples=200)


@many
@given(actor=actors, action=actions, resource=resources, context=contexts)
def test_the_same_question_has_the_same_answer(
    actor: Actor, action: Action, resource: Resource, context: Context
) -> None:
    assert decide(actor, action, resource, context) == decide(replace(actor), action, replace(resource), context)


@many
@given(actor=people, action=st.sampled_from(sorted(ON_DATA)), resource=resources, context=contexts)
def test_an_admin_does_nothing_on_data_whatever_else_they_are(
    actor: Actor, action: Action, resource: Resource, context: Context
) -> None:
    admin = replace(actor, roles=actor.roles | {"admin"})
    assert not decide(admin, action, resource, context).allowed


@many
@given(actor=actors, resource=resources, context=contexts)
def test_a_sensitive_column_or_any_of_raw_is_opened_by_fitting_grants_alone(
    actor: Actor, resource: Resource, context: Context
) -> None:
    if not decide(actor, Action.VERSION_READ, resource, context).allowed:
        return
    needs = {
        column
        for column, category in resource.categories.items()
        if category != "internal" or resource.stage is Stage.RAW
    }
    fitting = [
        grant
        for grant in context.grants
        if grant.requested_by == actor.name
        and (grant.environment, grant.project, grant.stage) == (resource.environment, resource.project, resource.stage)
        and grant.purpose == resource.purpose == context.purpose
        and grant.approved_at is not None
        and grant.approved_at <= NOW < grant.approved_at + timedelta(hours=grant.hours)
        and grant.revoked_at is None
    ]
    assert needs <= {column for grant in fitting for column in grant.columns}


@given(actor=people, resource=resources, context=contexts, grant=grants)
def test_with_fitting_grants_the_property_above_is_not_empty(
    actor: Actor, resource: Resource, context: Context, grant: Grant
) -> None:
    fitting = replace(
        grant, approved_by="person:c", approved_at=NOW - timedelta(hours=1), revoked_at=None, requested_by=actor.name
    )
    asked = replace(
        resource,
        environment=fitting.environment,
        project=fitting.project,
        stage=fitting.stage,
        sections=("train",) if fitting.stage is Stage.SPLIT else (),
        categories=dict.fromkeys(fitting.columns, "pii"),
        purpose=fitting.purpose,
    )
    engineer = replace(actor, roles=frozenset({"ml_engineer"}))
    seen = replace(context, grants=(fitting,), purpose=fitting.purpose)
    assert decide(engineer, Action.VERSION_READ, asked, seen).allowed


@many
@given(actor=people, more=people, action=st.sampled_from(sorted(BY_ANOTHER)), resource=resources, context=contexts)
def test_no_further_role_lifts_the_separation_of_duties(
    actor: Actor, more: Actor, action: Action, resource: Resource, context: Context
) -> None:
    wider = replace(actor, roles=actor.roles | more.roles)
    for made_by in (frozenset(), context.made_by | {actor.name}):
        assert not decide(wider, action, resource, replace(context, made_by=made_by)).allowed


@many
@given(actor=people, more=people, action=actions, resource=resources, context=contexts)
def test_no_further_role_lifts_a_never(
    actor: Actor, more: Actor, action: Action, resource: Resource, context: Context
) -> None:
    if any(action in ROLES[role].never for role in actor.roles):
        wider = replace(actor, roles=actor.roles | more.roles)
        assert not decide(wider, action, resource, context).allowed


@many
@given(actor=actors, action=actions, resource=resources, context=contexts)
def test_nothing_is_allowed_that_no_single_role_or_grant_gives(
    actor: Actor, action: Action, resource: Resource, context: Context
) -> None:
    if not decide(actor, action, resource, context).allowed:
        return
    rules = [rule for role in actor.roles for rule in ROLES[role].may]
    giving = {action, Action.GRANT_REQUEST} if action in {Action.VERSION_READ, *_OWN} else {action}
    here = [rule for rule in rules if giving & set(rule.actions)]
    assert any(action in EVERYWHERE or resource.environment in rule.environments for rule in here)


_OWN = (Action.GRANT_REVOKE, Action.GRANT_LIST)


@given(actor=actors, action=actions, resource=resources, context=contexts)
def test_the_reason_names_no_actor(actor: Actor, action: Action, resource: Resource, context: Context) -> None:
    told = decide(actor, action, resource, context)
    assert told.reason
    assert actor.name not in told.reason
