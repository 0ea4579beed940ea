"""The tables of the environments that never read the real one: development and test.

Belongs here: what they declare in its place. Must stay out: how a table is read.
"""

from typing import Literal

from pydantic import Field

from secure_ml.policy.model import PolicyModel
from secure_ml.policy.source import Source

REAL_ENVIRONMENTS = frozenset({"training", "production"})
"""Environments that read the policy's `source`; any other reads a table of its own, or none."""


class OwnTable(PolicyModel):
    """An environment's own table, of the same columns as the real one: invented people, or a private twin."""

    source: Source = Field(description="Where that table comes from; it may have other partitions.")
    gates: Literal["block", "warn"] = Field(
        default="block",
        description="Whether performance and fairness gates block here as they do on the real table; with `warn` they "
        "only warn, since figures on invented people say little. All other checks block everywhere.",
    )


class Environments(PolicyModel):
    """Tables of the environments that never read `source`. One without a table has a `raw` that refuses."""

    development: OwnTable | None = Field(default=None, description="The table that code is written on.")
    test: OwnTable | None = Field(default=None, description="The table that code is tried on before it is promoted.")

    def own(self, environment: str) -> OwnTable | None:
        """The table of an environment that has one of its own."""
        return {"development": self.development, "test": self.test}.get(environment)
