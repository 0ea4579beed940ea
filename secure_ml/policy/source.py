"""Where a project's table comes from, and how it is partitioned."""

import posixpath
import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from secure_ml.policy.model import PolicyModel

PARTITION_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""A partition key names files and rows: no dots, slashes, quotes or spaces."""

_MONTH = r"\d{4}-(0[1-9]|1[0-2])"


class NoPartitions(PolicyModel):
    """The table is one piece."""

    kind: Literal["none"]

    def has(self, key: str) -> bool:
        """Whether there is a partition of this key: only the whole, whose key is empty."""
        return key == ""


class MonthlyPartitions(PolicyModel):
    """One partition a month, from `start` to `end` inclusive."""

    kind: Literal["monthly"]
    start: str = Field(pattern=f"^{_MONTH}$", description="First month, YYYY-MM.")
    end: str | None = Field(default=None, pattern=f"^{_MONTH}$", description="Last month; open when absent.")

    @model_validator(mode="after")
    def _ordered(self) -> "MonthlyPartitions":
        if self.end is not None and self.end < self.start:
            raise ValueError("end lies before start")
        return self

    def has(self, key: str) -> bool:
        """Whether there is a partition of this key."""
        return re.fullmatch(_MONTH, key) is not None and self.start <= key <= (self.end or key)


class StaticPartitions(PolicyModel):
    """A fixed list of partitions, in time order."""

    kind: Literal["static"]
    keys: tuple[str, ...] = Field(min_length=1, max_length=10_000, description="Partition keys, in order.")

    @field_validator("keys")
    @classmethod
    def _strict(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(keys)) != len(keys):
            raise ValueError("partition keys must be distinct")
        if any(re.fullmatch(PARTITION_PATTERN, key) is None for key in keys):
            raise ValueError(
                "a partition key is 1 to 64 letters, digits, '_' or '-', and starts with a letter or digit"
            )
        return keys

    def has(self, key: str) -> bool:
        """Whether there is a partition of this key."""
        return key in self.keys


Partitions = Annotated[NoPartitions | MonthlyPartitions | StaticPartitions, Field(discriminator="kind")]


class Source(PolicyModel):
    """The table as it comes: CSV, Parquet, or a query. Exactly one of `path` and `url_env` is given."""

    format: Literal["csv", "parquet", "sql"] = Field(description="How the source is read.")
    path: str | None = Field(
        default=None,
        description="File; `{partition}` stands for the partition's key. Relative to the policy's folder, or absolute.",
    )
    url_env: str | None = Field(
        default=None,
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="Environment variable that holds the database URL, which is a secret and never stands here.",
    )
    query: str | None = Field(
        default=None, description="SQL text for `sql`; `:partition` is bound to the partition's key, never pasted in."
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="CSV column separator.")
    missing: tuple[str, ...] = Field(
        default=("",), description="Cell texts that mean missing (CSV); compared after trimming."
    )
    max_cell_bytes: int = Field(
        default=65_536, ge=256, le=16_777_216, description="A longer cell is refused, since it is a broken file."
    )
    partitions: Partitions = Field(default=NoPartitions(kind="none"), description="How the source is cut into pieces.")

    @property
    def place(self) -> str:
        """Where it lies: one file pattern, or one database, whatever is asked of it."""
        return posixpath.normpath(self.path) if self.path is not None else f"${self.url_env}"

    @model_validator(mode="after")
    def _matches_format(self) -> "Source":
        if self.format == "sql":
            if self.path is not None or self.url_env is None or self.query is None:
                raise ValueError("a sql source needs url_env and query, and no path")
            pasted = self.partitions.kind != "none" and ":partition" not in self.query
        else:
            if self.path is None or self.url_env is not None or self.query is not None:
                raise ValueError(f"a {self.format} source needs path, and neither url_env nor query")
            pasted = self.partitions.kind != "none" and "{partition}" not in self.path
        if pasted:
            raise ValueError(
                "a partitioned source must name the partition: {partition} in path, or :partition in query"
            )
        return self
