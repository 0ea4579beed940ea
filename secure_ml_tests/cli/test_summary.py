"""What `demo` shows at its end."""

import io
from decimal import Decimal

import pytest

from secure_ml.cli import demo, screen
from secure_ml.cli.summary import CheckSummary, ColumnSummary, ProjectSummary, plain


def _summary(**changed: object) -> ProjectSummary:
    scrubbed = "identifiers in the text replaced by their kind"
    columns = (
        ColumnSummary("officer_remarks_of_the_whole_year", "account_number, pseudonym", scrubbed, "review", 0),
        ColumnSummary("monthly_income", "income, quasi", "rounded down to steps of 1000", "feature", 133),
        ColumnSummary("[red]", "", "dropped", "never", 0),
    )
    facts: dict[str, object] = {
        "project": "clinic", "partitions": 2, "rows_raw": 60, "rows_masked": 54, "columns": columns,
        "checks": CheckSummary(9, ("validated.fairness",)), "estimator": "dp_additive",
        "guarantee": "differentially private", "epsilon_spent": "3", "delta_spent": "0.000002", "epsilon_budget": "20",
        "delta_budget": "0.00002", "figures": {"auc": 0.869, "demographic_parity_difference.gender": 0.096},
        "model_card": "mlflow/model_card.md", "registered": {}, "audit_log_entries": 428,
    }  # fmt: skip
    return ProjectSummary(**(facts | changed))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What goes to a terminal of 80 columns."""
    text = io.StringIO()
    console = screen.Console(file=text, width=80, highlight=False)
    monkeypatch.setattr(demo, "out", console)
    return text


def test_nothing_is_cut_off_at_80_columns_and_the_table_keeps_to_them(page: io.StringIO) -> None:
    demo.show_summary(_summary())
    said = page.getvalue()
    assert "…" not in said
    table = said.partition("what was done")[2].partition("\nModel")[0]
    assert max(map(len, table.splitlines())) <= 80
    for words in ("replaced", "133 unreadable", "[red]", "learned from", "for reviewers", "not needed"):
        assert words in said


def test_budget_checks_and_gaps_are_told(page: io.StringIO) -> None:
    demo.show_summary(_summary())
    said = page.getvalue()
    assert "ε 3 of 20, δ 0.000002 of 0.00002 spent so far" in said
    assert "9 passed, warned: validated.fairness" in said
    assert "AUC 0.869" in said
    assert [line.split() for line in said.splitlines() if line.startswith("  gender")] == [["gender", "0.096", "-"]]


def test_who_is_singled_out_before_protection_is_told(page: io.StringIO) -> None:
    demo.show_summary(_summary(singled_out={"birth_date + gender": "61 % of rows", "ifsc": "nearly all rows"}))
    told = [line.split() for line in page.getvalue().splitlines()]
    assert ["birth_date", "+", "gender", "61", "%", "of", "rows"] in told
    assert ["ifsc", "nearly", "all", "rows"] in told


def test_without_privacy_no_budget_is_told(page: io.StringIO) -> None:
    demo.show_summary(_summary(epsilon_budget=None, delta_budget=None))
    assert "Budget      none, and none is spent" in page.getvalue()


@pytest.mark.parametrize(
    ("amount", "text"),
    [("3.000000000", "3"), ("0E-9", "0"), ("0.000002000000000000", "0.000002"), ("20", "20"), ("1E+2", "100")],
)
def test_amounts_are_exact_and_plain(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text
