"""Add webhooks: receivers of events, what they did not take yet, and each attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
oldest_code = "0017"


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("has_fields", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("previous_until", key()),
        sa.Column("created_at", key(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", key()),
        sa.Column("delivered_at", key()),
        sa.Column("disabled_at", key()),
        sa.Column("disabled_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_table(
        "webhook_retries",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("webhook", key(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "webhook", "number"),
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("webhook", key(), nullable=False),
        sa.Column("event", key(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("type", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger()),
        sa.Column("at", key(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_index("webhook_attempts_by_age", "webhook_attempts", ["workshop", "at"])
    op.create_index("webhook_attempts_by_webhook", "webhook_attempts", ["workshop", "webhook", "at"])
