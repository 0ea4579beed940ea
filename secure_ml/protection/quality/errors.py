"""Errors of the quality inspection. Belongs here: their types and texts. Must stay out: any cell, in any form."""


class QualityError(ValueError):
    """An expectation could not be evaluated, which is neither a pass nor a failure."""

    def __init__(self, column: str, expectation: str, *, problem: str, remedy: str) -> None:
        super().__init__(f"column {column!r}, expectation {expectation!r}: {problem}; {remedy}")
        self.column = column
        self.expectation = expectation


class ColumnNotReadable(ValueError):
    """A declared column's stored type holds no single value a cell."""

    def __init__(self, column: str) -> None:
        super().__init__(f"column {column!r} has a nested or binary type; store text, numbers, dates or booleans")
        self.column = column
