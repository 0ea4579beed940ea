"""Errors of classification. Belongs here: their types and texts. Must stay out: any cell of a table, in any form."""


class ClassificationError(ValueError):
    """A table could not be classified; the text says what to do and holds no cell."""


class ColumnNotExaminable(ClassificationError):
    """A column's type or bytes cannot be looked into, so nothing may be said about it."""

    def __init__(self, column: str, *, problem: str, remedy: str) -> None:
        super().__init__(f"column {column!r}: {problem}; {remedy}")
        self.column = column


class HeaderHoldsValues(ClassificationError):
    """Column names are themselves identifiers: the file has no header line."""

    def __init__(self, *, count: int) -> None:
        super().__init__(
            f"{count} column name(s) are identifiers of people, not names of columns: "
            "the source has no header line; add one, then load it again"
        )


class SchemaChanged(ClassificationError):
    """A batch has other columns or types than the first one."""

    def __init__(self) -> None:
        super().__init__("a batch has other columns or types than the first: classify one table with one classifier")


class FindingsUnreadable(ClassificationError):
    """A stored findings table does not have the form that this version writes."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the findings table cannot be read: {problem}; classify the raw version again")


class LanguageModelUnusable(ClassificationError):
    """A policy names a language model that is not there: what it should find would go unfound."""

    def __init__(self, name: str, *, problem: str, remedy: str) -> None:
        super().__init__(f"language model {name!r}: {problem}; {remedy}")
        self.name = name
