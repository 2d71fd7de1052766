"""A report of an opt-out that comes before its message is known is kept as one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    names_opt_out: sa.Column[bool] = sa.Column(
        "names_opt_out", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column("delivery_reports", names_opt_out)
