"""The first schema: audit log, manifests, heads, verdicts, privacy budget."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the first schema."""
    _create_audit_log()
    _create_versions()
    _create_budget()


def downgrade() -> None:
    """Refuse: the tables hold the evidence."""
    raise NotImplementedError("undoing the first schema would destroy the audit log; restore a backup")


def _create_audit_log() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("entry_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("entry_index", name=op.f("pk_audit_entries")),
        sa.CheckConstraint("entry_index >= 0", name=op.f("ck_audit_entries_index_from_zero")),
    )
    op.create_table(
        "audit_tree",
        sa.Column("tree_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tree_id", name=op.f("pk_audit_tree")),
        sa.CheckConstraint("tree_id = 1", name=op.f("ck_audit_tree_one_row")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )


def _create_versions() -> None:
    op.create_table(
        "manifests",
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_manifests")),
    )
    place = ["environment", "project", "stage", "partition", "sequence"]
    op.create_index("ix_manifests_place", "manifests", place, unique=True)
    op.create_table(
        "heads",
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "project", "stage", "partition", name=op.f("pk_heads")),
        sa.ForeignKeyConstraint(["version_id"], ["manifests.version_id"], name=op.f("fk_heads_version_id")),
    )
    op.create_table(
        "verdicts",
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "check_name", name=op.f("pk_verdicts")),
        sa.ForeignKeyConstraint(["version_id"], ["manifests.version_id"], name=op.f("fk_verdicts_version_id")),
    )


def _create_budget() -> None:
    op.create_table(
        "budget_charges",
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("epsilon_nano", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("charge_id", name=op.f("pk_budget_charges")),
        sa.CheckConstraint("epsilon_nano >= 0", name=op.f("ck_budget_charges_epsilon_not_negative")),
    )
    op.create_index(op.f("ix_budget_charges_project"), "budget_charges", ["project"])
    op.create_table(
        "budget_limits",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("epsilon_nano", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_budget_limits")),
        sa.CheckConstraint("epsilon_nano >= 0", name=op.f("ck_budget_limits_epsilon_not_negative")),
    )
