"""The first tables."""

import sqlalchemy as sa
from alembic import op

from app.core.database import RowNumber, UtcDateTime, append_only_ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("ledger_entry_id", RowNumber, nullable=False),
        sa.Column("renewal_asked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", "program"),
    )
    op.create_index("ix_consents_expires_at", "consents", ["expires_at"], unique=False)
    op.create_table(
        "delivery_reports",
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_message_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "provider_message_id", "status"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint_check", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("program", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("person_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text_digest", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_ledger_entries_fingerprint", "ledger_entries", ["fingerprint"], unique=False
    )
    op.create_table(
        "ledger_seals",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_id", RowNumber, nullable=False),
        sa.Column("last_id", RowNumber, nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_ledger_seals_last_id", "ledger_seals", ["last_id"], unique=False)
    op.create_table(
        "link_tokens",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("ix_link_tokens_fingerprint", "link_tokens", ["fingerprint"], unique=False)
    op.create_table(
        "programs",
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("notice_url", sa.Text(), nullable=True),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("renewal_days", sa.Integer(), nullable=True),
        sa.Column("double_opt_in", sa.Boolean(), nullable=True),
        sa.Column("yes_confirms", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("join_words", sa.Text(), server_default="", nullable=False),
        sa.Column("stop_words", sa.Text(), server_default="", nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("cap_messages", sa.Integer(), nullable=True),
        sa.Column("cap_days", sa.Integer(), nullable=True),
        sa.Column("text_version", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_table(
        "provider_deletions",
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_message_id", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.String(length=32), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "provider_message_id"),
    )
    op.create_index(
        "ix_provider_deletions_certificate", "provider_deletions", ["certificate"], unique=False
    )
    op.create_table(
        "accesses",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_accesses_at", "accesses", ["at"], unique=False)
    op.create_index("ix_accesses_fingerprint", "accesses", ["fingerprint"], unique=False)
    op.create_table(
        "rate_counts",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_rate_counts_expires_at", "rate_counts", ["expires_at"], unique=False)
    op.create_table(
        "sender_paces",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("paced_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sender"),
    )
    op.create_table(
        "simulator_messages",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("sid", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("send_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sid"),
    )
    op.create_index(
        "ix_simulator_messages_recipient", "simulator_messages", ["recipient"], unique=False
    )
    op.create_index("ix_simulator_messages_sender", "simulator_messages", ["sender"], unique=False)
    op.create_table(
        "subscribers",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("unreachable_reports", sa.Integer(), server_default="0", nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=34), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program"],
            ["programs.slug"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("resumes_at", UtcDateTime(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("max_opt_out_share", sa.Float(), nullable=False),
        sa.Column("max_failure_share", sa.Float(), nullable=False),
        sa.Column("cost_per_segment", sa.Float(), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("counted_from", UtcDateTime(), nullable=True),
        sa.Column("ledger_from", RowNumber, server_default="0", nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program"],
            ["programs.slug"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "campaign_recipients",
        sa.Column("campaign_id", RowNumber, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(length=32), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
        ),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["subscribers.fingerprint"],
        ),
        sa.PrimaryKeyConstraint("campaign_id", "position"),
        sa.UniqueConstraint("campaign_id", "fingerprint"),
    )
    op.create_index(
        "ix_campaign_recipients_due",
        "campaign_recipients",
        ["campaign_id", "due_at", "position"],
        unique=False,
        postgresql_where=sa.text("status IN ('waiting', 'taken')"),
        sqlite_where=sa.text("status IN ('waiting', 'taken')"),
    )
    op.create_index(
        "ix_campaign_recipients_fingerprint", "campaign_recipients", ["fingerprint"], unique=False
    )
    op.create_index(
        "ix_campaign_recipients_settled",
        "campaign_recipients",
        ["campaign_id", "settled_at", "status"],
        unique=False,
    )
    op.create_table(
        "consent_texts",
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program"],
            ["programs.slug"],
        ),
        sa.PrimaryKeyConstraint("program", "version"),
        sa.UniqueConstraint("program", "digest"),
    )
    op.create_table(
        "inbound_messages",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_message_id", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("tables_version", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=True),
        sa.Column("review", sa.Boolean(), nullable=False),
        sa.Column("opt_out_type", sa.Text(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("opt_in_request_id", sa.String(length=32), nullable=True),
        sa.Column("silence", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["subscribers.fingerprint"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "provider_message_id"),
    )
    op.create_index(
        "ix_inbound_by_number", "inbound_messages", ["fingerprint", "received_at"], unique=False
    )
    op.create_table(
        "opt_in_requests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("code_expires_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("code_sent_at", UtcDateTime(), nullable=True),
        sa.Column("code_message_id", sa.String(length=64), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["subscribers.fingerprint"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_opt_in_requests_by_number",
        "opt_in_requests",
        ["fingerprint", "created_at"],
        unique=False,
    )
    op.create_table(
        "outbound_messages",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_message_id", sa.String(length=64), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("requester", sa.String(length=60), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("content_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("cancel_failed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["subscribers.fingerprint"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "provider_message_id"),
        sa.UniqueConstraint("requester", "idempotency_key"),
    )
    op.create_index(
        "ix_outbound_by_number", "outbound_messages", ["fingerprint", "created_at"], unique=False
    )
    op.create_index(
        "ix_outbound_in_flight",
        "outbound_messages",
        ["fingerprint"],
        unique=False,
        postgresql_where=sa.text("status = 'claimed'"),
        sqlite_where=sa.text("status = 'claimed'"),
    )
    unsettled = sa.text("status IN ('retrying', 'unknown', 'scheduled')")
    op.create_index(
        "ix_outbound_unsettled",
        "outbound_messages",
        ["fingerprint"],
        unique=False,
        postgresql_where=unsettled,
        sqlite_where=unsettled,
    )
    keyed = sa.text("idempotency_key IS NOT NULL")
    op.create_index(
        "ix_outbound_keys",
        "outbound_messages",
        ["created_at"],
        unique=False,
        postgresql_where=keyed,
        sqlite_where=keyed,
    )
    op.create_table(
        "complete_spans",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_complete_spans_until", "complete_spans", ["until"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("ledger_entry_id", RowNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["subscribers.fingerprint"],
        ),
        sa.ForeignKeyConstraint(
            ["ledger_entry_id"],
            ["ledger_entries.id"],
        ),
        sa.PrimaryKeyConstraint("fingerprint", "program"),
    )
    op.create_table(
        "review_holds",
        sa.Column("inbound_message_id", RowNumber, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inbound_message_id"],
            ["inbound_messages.id"],
        ),
        sa.PrimaryKeyConstraint("inbound_message_id"),
    )
    op.create_index(
        "ix_open_review_holds",
        "review_holds",
        ["fingerprint"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
        sqlite_where=sa.text("decided_at IS NULL"),
    )
    _keep("ledger_entries", may_blank=("fingerprint", "text", "salt"))
    _keep("ledger_seals", may_blank=())


def _keep(table: str, may_blank: tuple[str, ...]) -> None:
    """From here on the table only grows."""
    bind = op.get_bind()
    columns = [column["name"] for column in sa.inspect(bind).get_columns(table)]
    kept = tuple(column for column in columns if column not in may_blank)
    for statement in append_only_ddl(bind.dialect.name, table, kept, may_blank):
        op.execute(statement)
