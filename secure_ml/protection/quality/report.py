"""What an inspection found. Belongs here: counts and the policy's own words. Must stay out: any cell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectationResult:
    """One expectation of the policy over a whole version.

    Attributes:
        column: the column that was looked at.
        expectation: what was expected, in words.
        element_count: rows looked at; 0 where the column is absent.
        missing_count: how many of them hold no cell there.
        unexpected_count: how many do not meet the expectation.
        share: the part that meets it: of all rows for `not_null`, of the present cells otherwise; 1 where there is
            none to judge, 0 where the column is absent.
        mostly: the smallest share that passes.
        passed: whether it does.
        blocking: whether a failure closes the version to its readers.
    """

    column: str
    expectation: str
    element_count: int
    missing_count: int
    unexpected_count: int
    share: float
    mostly: float
    passed: bool
    blocking: bool


@dataclass(frozen=True)
class QualityReport:
    """What a raw version looks like beside its policy.

    Attributes:
        rows: how many.
        schema_faults: in what it is not the declared table, each a sentence for people.
        notes: what is worth knowing and no fault.
        undeclared: columns that the policy does not name; they are stored under the strictest label.
        expectations: a result for each of the policy's expectations, in its order.
    """

    rows: int
    schema_faults: tuple[str, ...]
    notes: tuple[str, ...]
    undeclared: tuple[str, ...]
    expectations: tuple[ExpectationResult, ...]

    @property
    def schema_passed(self) -> bool:
        """Whether it is the declared table."""
        return not self.schema_faults

    @property
    def quality_passed(self) -> bool:
        """Whether every expectation is met, blocking or not."""
        return all(result.passed for result in self.expectations)

    @property
    def quality_blocking_failed(self) -> bool:
        """Whether an expectation that blocks is not met."""
        return any(result.blocking and not result.passed for result in self.expectations)
