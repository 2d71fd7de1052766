"""Copies to be searched for at the provider, requests of people, opt-outs not confirmed yet."""

import sqlalchemy as sa
from alembic import op

from app.core.database import RowNumber, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNCONFIRMED = sa.text("meaning = 'opt_out' AND silence IN ('answered_apart', 'too_late')")


def upgrade() -> None:
    op.create_table(
        "copy_searches",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("certificate", sa.String(length=32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_copy_searches_certificate", "copy_searches", ["certificate"])
    op.create_table(
        "person_requests",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_person_requests_fingerprint", "person_requests", ["fingerprint"])
    op.create_index(
        "ix_inbound_unconfirmed",
        "inbound_messages",
        ["received_at"],
        postgresql_where=_UNCONFIRMED,
        sqlite_where=_UNCONFIRMED,
    )
