"""Every table of the state database.

Belongs here: columns, keys and constraints. Must stay out: queries, and any column for a value of a person's data.
A change here needs a migration under `migrations/versions/`; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# Actor and reason stand beside the leaf, which holds commitments to them: without them the tree still verifies.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("actor", Text),
    Column("reason", Text),
    CheckConstraint("entry_index >= 0", name="index_from_zero"),
)

audit_tree = Table(
    "audit_tree",
    metadata,
    Column("tree_id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    CheckConstraint("tree_id = 1", name="one_row"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)

manifests = Table(
    "manifests",
    metadata,
    Column("version_id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("partition", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
    Column("committed_at", Text, nullable=False),
    Index("ix_manifests_place", "environment", "project", "stage", "partition", "sequence", unique=True),
)

heads = Table(
    "heads",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    Column("version_id", Text, ForeignKey(manifests.c.version_id), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("version_id", Text, ForeignKey(manifests.c.version_id), primary_key=True),
    Column("check_name", Text, primary_key=True),
    Column("passed", Boolean, nullable=False),
    Column("blocking", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
)

# Epsilon is counted in billionths and delta is an integer string: sums of floats become overspent or unspendable.
budget_charges = Table(
    "budget_charges",
    metadata,
    Column("charge_id", Text, primary_key=True),
    Column("project", Text, nullable=False, index=True),
    Column("epsilon_nano", BigInteger, nullable=False),
    Column("delta", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
    CheckConstraint("epsilon_nano >= 0", name="epsilon_not_negative"),
)

budget_limits = Table(
    "budget_limits",
    metadata,
    Column("project", Text, primary_key=True),
    Column("epsilon_nano", BigInteger, nullable=False),
    Column("delta", Text, nullable=False),
    CheckConstraint("epsilon_nano >= 0", name="epsilon_not_negative"),
)

access_grants = Table(
    "access_grants",
    metadata,
    Column("grant_id", Text, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
    Index("ix_access_grants_place", "environment", "project"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("promotion_id", Text, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("audit_index", BigInteger, nullable=False),
    Index("ix_promotions_place", "environment", "project"),
)
