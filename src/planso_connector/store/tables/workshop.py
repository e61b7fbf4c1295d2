"""The registry of workshops, the capacity of each, and notices for its people."""

from sqlalchemy import BigInteger, Column, Double, Index, Table, Text

from planso_connector.store.tables.columns import KEY, metadata

workshops = Table(
    "workshops",
    metadata,
    Column("name", KEY, primary_key=True),
    Column("planso_url", Text, nullable=False),
    Column("planso_user", Text, nullable=False),
    Column("encrypted_password", Text, nullable=False),
    Column("table_id", BigInteger),
    Column("profile", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("paused_at", KEY),
    Column("removed_at", KEY),
    Column("purged_at", KEY),
    Column("created_at", KEY, nullable=False),
    Column("changed_at", KEY, nullable=False),
    Column("version", BigInteger, nullable=False),
)
"""
The registry of workshops, see `domain.workshop`. A removed one keeps its row, emptied but for its name, so that other
processes learn of it; `purged_at`: when its rows in all other tables were deleted.
"""

Index("workshops_by_version", workshops.c.version)

capacities = Table(
    "capacities",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("document", Text, nullable=False),
    Column("changed_at", KEY, nullable=False),
    Column("changed_by", Text, nullable=False),
)
"""The capacity of each workshop that set one: the JSON of `domain.capacity.capacity_document`, and who set it."""

slot_holds = Table(
    "slot_holds",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("call", KEY, primary_key=True),
    Column("id", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("day", KEY, nullable=False),
    Column("slot", KEY, nullable=False),
    Column("hours_karo", Double(), nullable=False),
    Column("hours_lack", Double(), nullable=False),
    Column("expires_at", KEY, nullable=False),
)
"""
The slot that each call holds until it books, one a call. `call` is a fingerprint of the API key and the call's id;
`slot` is `07:30-09:00`, or empty for the day alone. A row stays until its call holds another slot, books, or gives it
back, and counts until `expires_at`.
"""

notices = Table(
    "notices",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("created_at", KEY, nullable=False),
    Column("caller", Text, nullable=False),
    Column("content", KEY, nullable=False),
    Column("order_id", BigInteger),
    Column("operation", KEY),
    Column("reason", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("plate", Text, nullable=False),
    Column("done_at", KEY),
    Column("done_by", Text, nullable=False),
)
"""
What a person of the workshop has to take care of, as a phone agent heard it. `operation`: the remark with the same text
that was on its way to PlanSo. `content`: fingerprint of the call and what it asked for. `done_at` None: open.
"""

Index("notices_by_content", notices.c.workshop, notices.c.content)
