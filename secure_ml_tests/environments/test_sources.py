"""Development and test have tables of their own, and no way to the real one."""

from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.orchestration.keys import known_partitions
from secure_ml.policy.load import PolicyError, load_policy
from secure_ml.policy.project import Policy
from secure_ml.vault.errors import AccessRefused, StaleVersion
from secure_ml_tests.fakes.small_project import (
    PROJECT,
    Attributes,
    Change,
    SmallProject,
    as_csv,
    attributes,
    make_small_project,
    rows,
    write_policy,
)  # fmt: skip

OWN = {"format": "csv", "path": "invented.csv"}


def declares(**own: object) -> Change:
    """Declares tables of development and test."""

    def change(content: Attributes) -> None:
        content["environments"] = own

    return change


def read(folder: Path, change: Change) -> Policy:
    content = attributes()
    change(content)
    return load_policy(write_policy(folder, content))


@pytest.fixture
def made(tmp_path: Path) -> SmallProject:
    """A project whose development has ten rows of its own, and whose test has none."""
    made = make_small_project(tmp_path, change=declares(development={"source": OWN}))
    (made.folder / "invented.csv").write_text(as_csv(rows(10)), encoding="utf-8")
    return made


def written(made: SmallProject, environment: str) -> int:
    """Rows of `raw` in an environment, written as its asset writes it."""
    door = made.door(environment=environment)
    return door.write(Stage.RAW, "", made.receive(door=door)).rows


def test_each_environment_reads_its_own_table(made: SmallProject) -> None:
    assert (written(made, "development"), written(made, "training"), written(made, "production")) == (10, 60, 60)


@pytest.mark.parametrize("environment", ["test", "elsewhere", "Training"])
def test_an_environment_without_a_table_is_refused_before_anything_is_read(
    made: SmallProject, environment: str
) -> None:
    (made.folder / "table.csv").unlink()
    with pytest.raises(AccessRefused, match="environments"):
        written(made, environment)


def test_the_refusal_says_what_to_declare_and_is_in_the_log(made: SmallProject) -> None:
    with pytest.raises(AccessRefused, match=r"environments\.test\.source in the policy of clinic"):
        written(made, "test")
    last = made.log("source.read")[-1]
    assert (last.resource, last.outcome) == (f"test/{PROJECT}/raw", "refused")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"development": {"source": {"format": "csv", "path": "table.csv"}}}, "development.source: is the real table"),
        ({"test": {"source": {"format": "csv", "path": "./table.csv"}}}, "test.source: is the real table"),
        ({"training": {"source": OWN}}, "environments.training: no such field"),
        ({"test": {"source": OWN, "gates": "none"}}, "test.gates: Input should be 'block' or 'warn'"),
    ],
)
def test_a_policy_that_leads_to_the_real_table_is_refused(tmp_path: Path, own: dict[str, object], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        read(tmp_path, declares(**own))


def test_a_database_is_another_one_where_its_credentials_are(tmp_path: Path) -> None:
    def change(content: Attributes) -> None:
        content["source"] = {"format": "sql", "url_env": "CLINIC_URL", "query": "select * from members"}
        declares(test={"source": {**content["source"], "query": "select * from members limit 10"}})(content)

    with pytest.raises(PolicyError, match=r"environments\.test\.source: is the real table"):
        read(tmp_path, change)


def test_a_backtest_needs_partitions_in_every_environment(tmp_path: Path) -> None:
    def change(content: Attributes) -> None:
        content["source"]["partitions"] = {"kind": "static", "keys": ["first", "second"]}
        content["source"]["path"] = "table-{partition}.csv"
        content["training"]["backtest"] = {"periods": 1}
        declares(test={"source": OWN})(content)

    with pytest.raises(PolicyError, match=r"environments\.test\.source\.partitions: training\.backtest needs"):
        read(tmp_path, change)


def test_an_environment_may_have_other_partitions(tmp_path: Path) -> None:
    policy = read(
        tmp_path,
        declares(
            test={
                "source": {
                    "format": "csv",
                    "path": "{partition}.csv",
                    "partitions": {"kind": "static", "keys": ["only"]},
                }
            }
        ),
    )
    assert known_partitions(policy.seen_in("test")) == ("only",)
    assert known_partitions(policy.seen_in("training")) == known_partitions(policy.seen_in("development")) == ("",)


def test_tables_of_other_environments_make_no_version_stale(tmp_path: Path) -> None:
    bare, declared = read(tmp_path / "a", declares()), read(tmp_path / "b", declares(test={"source": OWN}))
    assert (bare.digest, bare.data_digest) == (declared.digest, declared.data_digest)
    assert declared.seen_in("training") == declared.seen_in("production") == declared
    assert declared.seen_in("test").data_digest != declared.data_digest


def test_a_version_is_stale_once_its_environments_table_is_another(made: SmallProject, tmp_path: Path) -> None:
    assert written(made, "development") == 10
    made.door(environment="development").assess(Stage.RAW, "")
    content = attributes()
    declares(development={"source": {**OWN, "path": "others.csv"}})(content)
    write_policy(made.folder, content)
    with pytest.raises(StaleVersion):
        made.reopened().door(environment="development").assess(Stage.RAW, "")


def test_gates_warn_only_where_the_policy_says_so(tmp_path: Path) -> None:
    def change(content: Attributes) -> None:
        content["gates"] = {
            "performance": [{"metric": "auc", "minimum": 0.9}],
            "fairness": [{"attribute": "gender", "metric": "equalized_odds_difference", "maximum": 0.1}],
        }
        declares(development={"source": OWN, "gates": "warn"}, test={"source": OWN})(content)

    policy = read(tmp_path, change)
    blocking = {
        environment: [gate.blocking for gate in (*seen.performance, *seen.fairness)]
        for environment in ("development", "test", "training", "production")
        for seen in (policy.seen_in(environment).gates,)
    }
    assert blocking == {
        "development": [False, False],
        "test": [True, True],
        "training": [True, True],
        "production": [True, True],
    }
