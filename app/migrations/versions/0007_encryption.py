"""Columns that may be encrypted: which key, and room for it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("installation", sa.Column("encryption_check", sa.Text(), nullable=True))
    with op.batch_alter_table("simulator_messages") as table:
        for name in ("sender", "recipient"):
            table.alter_column(name, type_=sa.Text(), existing_type=sa.String(length=64))
    with op.batch_alter_table("campaign_recipients") as table:
        table.alter_column(
            "fields", type_=sa.Text(), existing_type=sa.JSON(), postgresql_using="fields::text"
        )
