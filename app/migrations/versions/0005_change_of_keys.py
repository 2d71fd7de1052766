"""What a change of FINGERPRINT_KEY needs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("installation", sa.Column("key_change", sa.Text(), nullable=True))
    op.add_column(
        "subscribers",
        sa.Column("key_generation", sa.Integer(), server_default="1", nullable=False),
    )
    op.create_table(
        "former_fingerprints",
        sa.Column("former", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("former"),
    )
    op.create_index(
        "ix_former_fingerprints_fingerprint", "former_fingerprints", ["fingerprint"], unique=False
    )
    op.create_index("ix_review_holds_fingerprint", "review_holds", ["fingerprint"], unique=False)
