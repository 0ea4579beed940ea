import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.release.candidate import CandidateError, periods_of, read_candidate, train_candidate
from secure_ml.training.errors import ModelFileError
from secure_ml.training.estimators.port import NONE, PRIVATE
from secure_ml.training.model_file import content_digest
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import Label, join
from secure_ml_tests.release.people import (
    PERIODS,
    charge,
    manifest,
    private_candidate,
    private_policy,
    train_side,
)
from secure_ml_tests.training.people import BOOSTING, KEY, policy


def changed(files: dict[str, bytes | None]) -> Dataset:
    """The candidate with some files in place of its own, or without them."""
    made = private_candidate()
    kept = {name: content for name, content in (read_artefacts(made) | files).items() if content is not None}
    return artefacts(kept, label=made.labels["content"], origins=made.origins, summary={})


def record() -> dict[str, Any]:
    return dict(json.loads(read_artefacts(private_candidate())["training.json"]))


# The periods of a lineage


def test_periods_are_those_of_the_masked_ancestors_in_the_policys_order() -> None:
    lineage = [
        manifest("split"), manifest("masked", "p3"), manifest("masked", "p1"), manifest("raw", "p2"),
        manifest("classified", "p2"), manifest("masked", "p1"),
    ]  # fmt: skip
    assert periods_of(lineage, PERIODS) == ("p1", "p3")
    assert periods_of(lineage, ("p3", "p2", "p1")) == ("p3", "p1")


def test_a_table_of_one_piece_has_one_period() -> None:
    assert periods_of([manifest("split"), manifest("masked"), manifest("raw")], [""]) == ("all",)


def test_a_partition_that_the_policy_no_longer_knows_is_no_period() -> None:
    assert periods_of([manifest("masked", "p1"), manifest("masked", "p0")], PERIODS) == ("p1",)


def test_a_lineage_without_masked_has_no_period() -> None:
    assert periods_of([manifest("raw", "p1")], PERIODS) == ()


# There and back


def test_a_candidate_and_its_backtests_twin_come_back_with_their_record() -> None:
    read = read_candidate(private_candidate())
    assert (read.periods, read.held_out, read.charge_id) == (PERIODS, ("p3",), "charge-7")
    assert read.digest == content_digest(read.model)
    assert read.twin is not None
    assert (read.model.facts.epsilon, read.twin.facts.epsilon) == ("1", "0.5")
    assert content_digest(read.twin) != read.digest


def test_without_privacy_and_backtest_there_is_no_charge_and_no_twin() -> None:
    def refuse(**_: object) -> None:
        pytest.fail("nothing is to be charged")

    rule = policy(estimator=BOOSTING)
    packed = train_candidate(train_side(rule), rule, periods=PERIODS, subject_key=KEY, charge=refuse)
    read = read_candidate(packed)
    assert (read.twin, read.held_out, read.charge_id) == (None, (), "")
    assert set(read_artefacts(packed)) == {"model.skops", "facts.json", "training.json"}
    assert packed.summary() == {
        "estimator": "hist_gradient_boosting", "guarantee": NONE, "unit": "subject", "first_period": "p1",
        "last_period": "p3",
    }  # fmt: skip


def test_the_summary_tells_the_loss_and_the_periods() -> None:
    summary = private_candidate().summary()
    assert (summary["guarantee"], summary["epsilon"]) == (PRIVATE, "1")
    assert Decimal(str(summary["delta"])) == Decimal("1e-6")
    assert (summary["first_period"], summary["last_period"]) == ("p1", "p3")


def test_a_model_keeps_the_label_of_all_that_it_was_learned_from() -> None:
    health = Label(frozenset({Category.HEALTH}), Entity.HEALTH, Identifiability.DIRECT)
    rule = private_policy()
    side = train_side(rule)
    side = replace(side, labels={**side.labels, "group": health})
    packed = train_candidate(side, rule, periods=PERIODS, subject_key=KEY, charge=charge)
    assert set(packed.labels.values()) == {join(side.labels.values())}
    assert packed.labels["content"].covers(health)
    assert packed.origins == ("split-id",)


# What is refused


@pytest.mark.parametrize("mark", ["secure_ml/training/2", "secure_ml/registration/1", "", None, 1])
def test_a_record_of_a_foreign_format_is_refused(mark: object) -> None:
    foreign = json.dumps({**record(), "format": mark}).encode()
    with pytest.raises(CandidateError, match=r"not of the format secure_ml/training/1; train it again"):
        read_candidate(changed({"training.json": foreign}))


def test_a_candidate_without_a_record_is_refused() -> None:
    with pytest.raises(CandidateError, match="train it again"):
        read_candidate(changed({"training.json": None}))


@pytest.mark.parametrize("name", ["model.skops", "facts.json", "backtest/model.skops", "backtest/facts.json"])
def test_a_candidate_with_half_a_model_is_refused(name: str) -> None:
    with pytest.raises(ModelFileError, match="consists of"):
        read_candidate(changed({name: None}))


def test_a_candidate_that_holds_one_file_more_is_refused() -> None:
    with pytest.raises(ModelFileError, match="consists of"):
        read_candidate(changed({"more.txt": b""}))
