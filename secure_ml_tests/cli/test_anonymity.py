"""`secure-ml anonymity`."""

from pathlib import Path

import yaml

from secure_ml.installation import Installation
from secure_ml.settings import read_settings
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.cli.test_init import write_visits

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
