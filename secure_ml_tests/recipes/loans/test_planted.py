"""What data/README.md says is planted, measured. The shipped table is fixed, so these have no false alarms."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from stdnum import verhoeff

from secure_ml.recipes.loans import COLUMNS, generate_loans
from secure_ml.recipes.loans.dirt import MISSING_SHARES
from secure_ml.recipes.loans.names import COMMUNITIES


@pytest.fixture(scope="session")
def features(applications: Any) -> Any:
    numbers = ["monthly_income", "existing_debt", "bureau_score", "loan_amount", "loan_term_months", "years_employed"]
    cleaned = {name: applications[name].str.replace("[,₹]", "", regex=True) for name in numbers}
    frame = pd.DataFrame({name: pd.to_numeric(text, errors="coerce") for name, text in cleaned.items()})
    return frame.assign(**{name: pd.factorize(applications[name])[0] for name in ("occupation", "education")})


@pytest.fixture(scope="session")
def honest_scores(applications: Any, features: Any) -> Any:
    """Scores of people the model has not seen, by the columns that are known on the day of the application."""
    y = applications.approved == "yes"
    test = applications.customer_id.str[-1].isin(list("012"))
    model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.06, max_leaf_nodes=8, random_state=0)
    model.fit(features[~test], y[~test])
    return pd.DataFrame({"y": y[test], "score": model.predict_proba(features[test])[:, 1]}).join(applications.gender)


def approval(rows: Any) -> float:
    return float((rows.approved == "yes").mean())


def test_approval_rate_is_as_documented(applications: Any):
    assert 0.60 < approval(applications) < 0.64


def test_an_honest_model_is_good_and_not_too_good(honest_scores: Any):
    assert 0.83 < roc_auc_score(honest_scores.y, honest_scores.score) < 0.88


def test_one_column_gives_the_label_away(applications: Any):
    assert roc_auc_score(applications.approved == "yes", applications.sanction_letter_days.astype(int)) > 0.98


def test_no_other_number_gives_the_label_away(applications: Any, features: Any):
    y = applications.approved == "yes"
    aucs = [roc_auc_score(y[column.notna()], column.dropna()) for _, column in features.items()]
    assert max(max(auc, 1 - auc) for auc in aucs) < 0.80


def test_women_are_approved_less(applications: Any):
    by_gender = applications.groupby("gender")[["approved"]].apply(approval)
    assert 0.12 < by_gender["male"] - by_gender["female"] < 0.18


def test_the_bias_survives_a_model_that_never_sees_the_gender(honest_scores: Any):
    favoured = (honest_scores.score > 0.5).groupby(honest_scores.gender).mean()
    assert 0.06 < favoured["male"] - favoured["female"] < 0.14


def test_women_are_approved_less_at_equal_merit(honest_scores: Any):
    excess = (honest_scores.y - honest_scores.score).groupby(honest_scores.gender).mean()
    assert excess["male"] - excess["female"] > 0.04


def test_religion_decides_nothing(applications: Any):
    """Largest z over six religions against all; fixed data."""
    overall = approval(applications)
    groups = applications.groupby("religion").approved
    z = groups.apply(lambda g: abs((g == "yes").mean() - overall) / np.sqrt(overall * (1 - overall) / len(g)))
    assert z.max() < 3


def test_the_drift_begins_in_the_tenth_month(applications: Any, features: Any):
    month = applications.month
    gig = (applications.occupation == "gig_worker").groupby(month).mean()
    income = features.monthly_income.groupby(month).median()
    debt = (features.existing_debt / features.monthly_income).groupby(month).mean()
    approved = (applications.approved == "yes").groupby(month).mean()
    assert gig[:"2024-09"].max() < 0.02 < 0.18 < gig["2024-10":].min()
    assert income["2024-10":].max() < 0.9 * income[:"2024-09"].min()
    assert debt["2024-10":].min() > 1.2 * debt[:"2024-09"].max()
    assert approved["2024-10":].max() < approved[:"2024-09"].min() - 0.1


def test_a_shorter_table_has_no_drift():
    last = [batch for _, batch in generate_loans(rows=9_000, months=9, seed=1)][-1]
    assert last.column("occupation").to_pylist().count("gig_worker") < 30


def test_people_return_also_in_later_months(applications: Any):
    people = applications.groupby("customer_id")
    assert 0.10 < (people.size() > 1).mean() < 0.13
    assert (people.month.nunique() > 1).mean() > 0.08
    assert people[["full_name", "gender", "pan", "account_number", "address"]].nunique().max().max() == 1


def test_about_one_aadhaar_in_a_hundred_is_wrong(applications: Any):
    plain = applications.aadhaar.str.replace("[ -]", "", regex=True)
    assert 0.007 < 1 - plain.map(verhoeff.is_valid).mean() < 0.013


@pytest.mark.parametrize(
    ("column", "pattern", "share"),
    [
        ("aadhaar", r" ", 0.20),
        ("aadhaar", r"-", 0.10),
        ("phone", r"^\+91-", 0.18),
        ("phone", r"^0", 0.18),
        ("date_of_birth", r"^\d\d/\d\d/\d{4}$", 0.10),
        ("date_of_birth", r"^\d\d-[A-Z][a-z]{2}-\d{4}$", 0.08),
        ("date_of_birth", r"^\d{4}-\d\d-\d\d$", 0.82),
        ("monthly_income", r"^\d{1,2},(\d\d,)?\d{3}$", 0.04),
        ("monthly_income", r"^₹\d+$", 0.02),
        ("monthly_income", r"^unknown$", 0.006),
        ("officer_remarks", r"(^|\D)[6-9]\d{9}(\D|$)", 0.08),
        ("officer_remarks", r"(^|\D)\d{4} ?\d{4} ?\d{4}(\D|$)", 0.043),
        ("officer_remarks", r"@example\.", 0.037),
        ("consent_scoring", r"^yes$", 0.96),
        ("consent_marketing", r"^yes$", 0.40),
    ],
)
def test_cells_are_written_as_often_as_documented(applications: Any, column: str, pattern: str, share: float):
    tolerance = 4 * np.sqrt(share * (1 - share) / len(applications))
    found = applications[column].str.contains(pattern.replace("(", "(?:")).fillna(False).astype(bool).mean()
    assert abs(found - share) < tolerance


def test_some_remarks_name_the_applicant(applications: Any):
    remarks = applications.officer_remarks.fillna("")
    named = [name in remark for name, remark in zip(applications.full_name, remarks, strict=True)]
    assert 0.03 < np.mean(named) < 0.05


def test_missing_cells_lie_where_they_are_documented(applications: Any):
    missing = applications[list(COLUMNS)].isna().mean()
    expected = set(MISSING_SHARES) | {"officer_remarks"}
    assert set(missing[missing > 0].index) == expected
    assert all(0.008 < missing[name] < 0.03 for name in expected - {"employer", "officer_remarks"})


def test_two_incomes_written_apart_read_alike(applications: Any, features: Any):
    """Grouped by lakhs, with a currency sign or plain: the same amounts, so the medians agree."""
    plain = applications.monthly_income.str.fullmatch(r"\d+").fillna(False).astype(bool)
    grouped = applications.monthly_income.str.contains(",").fillna(False).astype(bool)
    ratio = features.monthly_income[grouped].median() / features.monthly_income[plain].median()
    assert 0.93 < ratio < 1.07


def test_the_name_lists_are_long_enough():
    given = {name for group in COMMUNITIES for name in (*group.female, *group.male)}
    assert len(given) >= 150
    assert len({name for group in COMMUNITIES for name in group.surnames}) >= 150
