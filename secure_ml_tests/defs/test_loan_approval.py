"""The shipped policy against the shipped table."""

from pathlib import Path

import pytest

from secure_ml.policy.load import load_policy
from secure_ml.policy.project import Policy
from secure_ml.policy.source import MonthlyPartitions
from secure_ml.protection.classify.compare import DiscrepancyKind, Severity, compare
from secure_ml.protection.classify.finding import read_findings
from secure_ml.protection.classify.findings import count
from secure_ml.recipes.loans import COLUMNS, generate_loans

FOLDER = Path(__file__).parents[2] / "secure_ml" / "defs" / "loan_approval"


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
    months = [f"2024-{month:02}" for month in range(1, 13)]
    assert [m for m in months if not (FOLDER / policy.source.path.format(partition=m)).is_file()] == []


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


def test_rounding_costs_the_model_nothing(policy: Policy):
    """Every cut of a rounded feature is a multiple of its step, so rounding moves no row to another bin."""
    rounded = {
        name: (column.treatment.step, policy.features[name].bins)
        for name, column in policy.columns.items()
        if column.treatment.kind == "generalise_number" and name in policy.features
    }
    assert len(rounded) == 4
    assert all(step and bins and all(cut % step == 0 for cut in bins) for step, bins in rounded.values())
