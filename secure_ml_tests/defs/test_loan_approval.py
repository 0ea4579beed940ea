"""The shipped policy against the shipped table."""

from pathlib import Path

import pytest

from secure_ml.policy.anonymity import identifiability_in_masked
from secure_ml.policy.labels import Identifiability
from secure_ml.policy.load import load_policy
from secure_ml.policy.project import Policy
from secure_ml.policy.source import MonthlyPartitions
from secure_ml.protection.anonymity.counting import class_counter
from secure_ml.protection.anonymity.judgement import measure
from secure_ml.protection.anonymity.search import search
from secure_ml.protection.anonymity.together import Together
from secure_ml.protection.classify.compare import DiscrepancyKind, Severity, compare
from secure_ml.protection.classify.finding import read_findings
from secure_ml.protection.classify.findings import count
from secure_ml.protection.mask.masking import Masking
from secure_ml.recipes.loans import COLUMNS, generate_loans
from secure_ml.vault.source import open_source

FOLDER = Path(__file__).parents[2] / "secure_ml" / "defs" / "loan_approval"
MONTHS = [f"2024-{month:02}" for month in range(1, 13)]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FOLDER)


def test_every_column_of_the_table_is_declared_and_no_other(policy: Policy):
    assert set(policy.columns) == set(COLUMNS)


def test_every_partition_has_its_file(policy: Policy):
    partitions = policy.source.partitions
    assert isinstance(partitions, MonthlyPartitions)
    assert (partitions.start, partitions.end) == ("2024-01", "2024-12")
    assert policy.source.path is not None
    assert [m for m in MONTHS if not (FOLDER / policy.source.path.format(partition=m)).is_file()] == []


def test_the_classifier_finds_nothing_that_is_declared_too_weakly(policy: Policy):
    assert policy.subject is not None
    batches = (batch for _, batch in generate_loans(rows=24_000, months=12, seed=2024))
    findings = read_findings(count(batches, found={}, subject=policy.subject.column))
    found = compare(findings, policy.columns, blocking_confidence=0.5, subject=policy.subject.column)
    # What the bank itself hands out points to people only beside their own attributes; it is generalised or has few
    # values, and the checks of masked measure what is left.
    assert {(d.column, d.kind, d.severity) for d in found} <= {
        (name, DiscrepancyKind.SINGLES_OUT, Severity.WARNING)
        for name in ("application_date", "loan_amount", "loan_term_months")
    }


def test_no_direct_identifier_reaches_the_model(policy: Policy):
    direct = {name for name, column in policy.columns.items() if column.identifiability == "direct"}
    assert direct == {"full_name", "email", "phone", "address", "aadhaar", "pan", "account_number", "officer_remarks"}
    assert direct.isdisjoint(policy.features)


def test_the_leaking_column_is_never_used(policy: Policy):
    assert policy.columns["sanction_letter_days"].use.kind == "never"


@pytest.mark.parametrize("environment", ["training", "development", "test"])
def test_five_people_share_all_that_a_neighbour_knows_of_them(policy: Policy, environment: str):
    """Every partition of every table, as it is when it is masked; what is suppressed is a small share of it."""
    seen = policy.seen_in(environment)
    assert set(policy.quasi_identifiers) == {"gender", "date_of_birth", "pin_code", "marital_status", "occupation"}
    assert seen.anonymity is not None
    months = [month for month in MONTHS if seen.source.partitions.has(month)]
    assert len(months) == (12 if environment == "training" else 4)
    for month in months:
        raw = open_source(seen, folder=FOLDER, partition=month, environ={})
        counter = class_counter(seen, seen.anonymity)
        for batch in Masking(seen, key_for=lambda purpose: bytes(32)).apply(raw).scan(counter.reads):
            counter.add(batch)
        found = measure(counter.classes()[0], seen.anonymity)
        assert not found.faults(seen.anonymity)
        assert found.k >= 5
        assert found.classes > 60, "nearly everything is generalised or suppressed away"
        assert 0 < found.suppressed <= 0.08


def test_the_treatments_are_the_least_of_the_ladders_in_every_month(policy: Policy):
    tables = [open_source(policy, folder=FOLDER, partition=month, environ={}) for month in MONTHS]
    found = search(tables, policy)
    assert found.treatments == {name: policy.columns[name].treatment for name in found.treatments}
    # Those who apply in several months can be followed by their token: docs/anonymity.md says so, with these figures.
    assert found.together == Together(subjects=20_231, in_several=1_921, fewer_than_k=2_144)


def test_nothing_else_of_masked_is_what_a_neighbour_knows(policy: Policy):
    """The rest is dropped, a pseudonym, or what people told the bank alone."""
    left = {
        name for name, column in policy.columns.items() if identifiability_in_masked(column) is Identifiability.QUASI
    }
    told_to_the_bank = {
        "years_employed",
        "monthly_income",
        "existing_debt",
        "bureau_score",
        "loan_amount",
        "loan_term_months",
    }
    # All applications of a version are of one month.
    assert left - set(policy.quasi_identifiers) == {*told_to_the_bank, "application_date"}


def test_the_model_learns_from_nothing_that_suppression_takes(policy: Policy):
    assert set(policy.suppressed_columns) == set(policy.quasi_identifiers) - set(policy.features)
    assert not policy.learns_from_suppressed


def test_rounding_costs_the_model_nothing(policy: Policy):
    """Every cut of a rounded feature is a multiple of its step, so rounding moves no row to another bin."""
    rounded = {
        name: (column.treatment.step, policy.features[name].bins)
        for name, column in policy.columns.items()
        if column.treatment.kind == "generalise_number" and name in policy.features
    }
    assert len(rounded) == 4
    assert all(step and bins and all(cut % step == 0 for cut in bins) for step, bins in rounded.values())
