"""Grants: permissions to look at columns outside a run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of grants."""
    op.create_table(
        "access_grants",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("audit_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_access_grants")),
    )
    op.create_index("ix_access_grants_place", "access_grants", ["environment", "project"])


def downgrade() -> None:
    """Refuse: the table holds who was granted what."""
    raise NotImplementedError("undoing this would destroy the grants that the audit log tells of; restore a backup")
