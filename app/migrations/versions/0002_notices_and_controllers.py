"""Privacy notices with versions, and who answers for the data."""

import sqlalchemy as sa
from alembic import op

from app.core.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_notices",
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["program"], ["programs.slug"]),
        sa.PrimaryKeyConstraint("program", "version"),
        sa.UniqueConstraint("program", "digest"),
    )
    for name in ("controller_name", "controller_address", "privacy_contact"):
        op.add_column("programs", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("programs", sa.Column("notice_version", sa.Integer(), nullable=True))
    op.add_column("opt_in_requests", sa.Column("notice_url", sa.Text(), nullable=True))
    op.add_column("opt_in_requests", sa.Column("notice_version", sa.Integer(), nullable=True))
