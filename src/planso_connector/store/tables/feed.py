"""The change feed."""

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
