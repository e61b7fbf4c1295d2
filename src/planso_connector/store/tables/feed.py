"""The change feed, and its delivery by webhooks."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from planso_connector.store.tables.columns import KEY, metadata

change_feed = Table(
    "change_feed",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("number", BigInteger),
    Column("type", KEY, nullable=False),
    Column("at", KEY, nullable=False),
    Column("order_id", BigInteger),
    Column("version", BigInteger),
    Column("position", Integer, nullable=False),
    Column("by", KEY, nullable=False),
    Column("caller", Text, nullable=False),
    Column("operation", KEY),
    Column("details", Text),
)
"""
The events of the change feed. `number` is null until `store.change_feed` numbers the event, after its commit; the
numbers of a workshop have no gaps. `position` orders the events of one version. What changed is in the history, by
`order_id`, `version` and `by`; `details` is the JSON of what has no history: numbers, states, a stop's reason.
"""

_is_numbered, _is_unnumbered = change_feed.c.number.is_not(None), change_feed.c.number.is_(None)
Index(
    "change_feed_by_number",
    change_feed.c.workshop,
    change_feed.c.number,
    unique=True,
    sqlite_where=_is_numbered,
    postgresql_where=_is_numbered,
)
Index(
    "change_feed_unnumbered",
    change_feed.c.workshop,
    change_feed.c.at,
    sqlite_where=_is_unnumbered,
    postgresql_where=_is_unnumbered,
)
Index("change_feed_by_order", change_feed.c.workshop, change_feed.c.order_id, change_feed.c.number)

change_feed_bounds = Table(
    "change_feed_bounds",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("epoch", KEY, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("dropped_number", BigInteger, nullable=False),
)
"""
The last number given to an event, and the last of those that retention deleted. `epoch` is another after a restore from
a backup, so that cursors from before it are recognised.
"""

webhooks = Table(
    "webhooks",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("has_fields", Integer, nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_until", KEY),
    Column("created_at", KEY, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", KEY),
    Column("delivered_at", KEY),
    Column("disabled_at", KEY),
    Column("disabled_reason", Text, nullable=False),
)
"""
The receivers of events. `types` is a JSON list, empty for all; `has_fields`: whether events have values. `number`: all
events up to it were delivered, or are in `webhook_retries`. `failures` in a row, `failing_since` the first of them.
"""

webhook_retries = Table(
    "webhook_retries",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("webhook", KEY, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", KEY, nullable=False),
)
"""
The events that a receiver did not take, and those of the same order behind them, which wait with `attempts` 0.
`order_id` is 0 for events without an order.
"""

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("webhook", KEY, nullable=False),
    Column("event", KEY, nullable=False),
    Column("number", BigInteger),
    Column("type", KEY, nullable=False),
    Column("order_id", BigInteger),
    Column("at", KEY, nullable=False),
    Column("status", Integer),
    Column("outcome", Text, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("response", Text, nullable=False),
)
"""Each attempt to deliver an event: its HTTP status, null without a response, and the response's first 1 KB."""

Index("webhook_attempts_by_age", webhook_attempts.c.workshop, webhook_attempts.c.at)
Index("webhook_attempts_by_webhook", webhook_attempts.c.workshop, webhook_attempts.c.webhook, webhook_attempts.c.at)
