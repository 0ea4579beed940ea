"""Promotions: permissions of projects to run in the next environment."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of promotions."""
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", name=op.f("pk_promotions")),
    )
    op.create_index("ix_promotions_place", "promotions", ["environment", "project"])


def downgrade() -> None:
    """Refuse: the table holds what was promoted, and by whom."""
    raise NotImplementedError("undoing this would destroy the promotions that the audit log tells of; restore a backup")
