"""`secure-ml anonymity`."""

from pathlib import Path

import yaml

from secure_ml.access.stages import Stage
from secure_ml.installation import Installation
from secure_ml.settings import read_settings
from secure_ml.vault.manifest import Manifest
from secure_ml.vault.versions import Verdict
from secure_ml_tests.cli.conftest import small_policy, write_small_project
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.cli.test_init import write_visits
from secure_ml_tests.fakes.small_project import PARTITIONS, PROJECT

ANONYMITY = {
    "k": 10,
    "quasi_identifiers": ["age", "ward"],
    "ladders": {
        "age": [{"kind": "keep"}, *({"kind": "generalise_number", "step": step} for step in (5, 10, 30))],
    },
}


def drafted(terminal: Terminal, data: Path, anonymity: object = ANONYMITY) -> None:
    asked = ("--data", str(data), "--label", "readmitted", "--subject", "patient_id", "--accept")
    assert terminal("init", "visits", *asked).code == 0
    file = terminal.home / "projects" / "visits" / "defs.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["attributes"]["anonymity"] = anonymity
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_the_least_generalisation_is_printed_as_the_policy_takes_it(terminal: Terminal, tmp_path: Path) -> None:
    data = write_visits(tmp_path / "visits.csv")
    drafted(terminal, data)
    said = terminal("anonymity", "visits", "--data", str(data))
    assert said.code == 0, said.err
    written = yaml.safe_load(said.out.partition("Write under columns of the policy:")[2])
    assert written == {"age": {"treatment": {"kind": "generalise_number", "step": 10.0}}}
    found = terminal("anonymity", "visits", "--data", str(data), "--json").json
    assert found["treatments"] == {"age": written["age"]["treatment"]}
    assert found["reached"][0]["k"] >= 10
    assert "PAT-0" not in said.out + said.err


def test_each_file_is_a_version_of_its_own(terminal: Terminal, tmp_path: Path) -> None:
    data, few = write_visits(tmp_path / "visits.csv"), write_visits(tmp_path / "few.csv", visits=100)
    drafted(terminal, data, {**ANONYMITY, "k": 5})
    alone = terminal("anonymity", "visits", "--data", str(data), "--json").json
    found = terminal("anonymity", "visits", "--data", str(data), "--data", str(few), "--json").json
    assert found["treatments"]["age"]["step"] > alone["treatments"]["age"]["step"]
    assert [row["k"] >= 5 for row in found["reached"]] == [True, True]


def test_the_log_has_it_before_the_table_is_looked_at(terminal: Terminal, tmp_path: Path) -> None:
    data = write_visits(tmp_path / "visits.csv")
    drafted(terminal, data)
    assert terminal("anonymity", "visits", "--data", str(tmp_path / "nowhere.csv")).code == 1
    settings = read_settings({"SECURE_ML_HOME": str(terminal.home), "SECURE_ML_KEYS": str(terminal.keys)})
    *_, entry = Installation(settings, {}).log.entries()
    assert (entry.action, entry.resource, entry.outcome) == ("source.draft", "visits", "allowed")


def test_what_no_ladder_reaches_is_an_error_that_says_what_is_missing(terminal: Terminal, tmp_path: Path) -> None:
    data = write_visits(tmp_path / "visits.csv")
    drafted(terminal, data, {**ANONYMITY, "k": 500})
    said = terminal("anonymity", "visits", "--data", str(data))
    assert said.code == 1
    assert "k is 500" in said.err


def run_small(terminal: Terminal, **anonymity: object) -> tuple[int, Manifest, Verdict]:
    """Runs the small project up to `masked` under a policy that asks for this: exit code, version and verdict."""
    asked = {"k": 5, "quasi_identifiers": ["gender", "region"], **anonymity}
    write_small_project(terminal, {**small_policy(), "anonymity": asked})
    said = terminal("run", PROJECT, "--until", "masked", "--partition", PARTITIONS[0])
    settings = read_settings({"SECURE_ML_HOME": str(terminal.home), "SECURE_ML_KEYS": str(terminal.keys)})
    versions = Installation(settings, {}).versions
    heads = versions.heads(environment="training", project=PROJECT)
    (masked,) = (head for head in heads if head.address.stage == Stage.MASKED)
    return said.code, masked, versions.verdicts(masked.version_id)["anonymity"]


def test_a_table_with_a_rare_combination_is_closed_to_every_reader(terminal: Terminal) -> None:
    code, masked, verdict = run_small(terminal)
    assert code == 1
    assert (verdict.passed, verdict.blocking, verdict.facts["k"]) == (False, True, 4)
    assert "suppressed" not in masked.summary
    stages = terminal("status", "--json").json["projects"][PROJECT]["stages"]
    assert stages["masked"]["closed_by_checks"] == 1


def test_suppression_opens_it_and_the_privacy_loss_is_stated_given_the_masked_table(terminal: Terminal) -> None:
    code, masked, verdict = run_small(terminal, suppress=True, maximum_suppressed=0.7, sensitive=["diagnosis"])
    assert (code, verdict.passed) == (0, True)
    assert int(verdict.facts["k"]) >= 5
    assert int(masked.summary["suppressed"]) >= 5
    assert masked.labels["gender"].covers(masked.labels["region"])
    assert terminal("status", "--json").json["projects"][PROJECT]["given_masked"] is True
    assert "given the masked table" in " ".join(terminal("status").out.split())
