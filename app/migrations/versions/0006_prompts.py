"""The words of the SMS that carried a code: what was shown to whoever asked by SMS."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("opt_in_requests", sa.Column("prompt", sa.Text(), nullable=True))
