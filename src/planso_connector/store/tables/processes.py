"""What the processes of an installation agree on: syncs, leases, calls to each other."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from planso_connector.store.tables.columns import KEY, metadata

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("state", KEY, nullable=False),
    Column("phase", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("failed", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", KEY, nullable=False),
    Column("ended_at", KEY),
    Column("updated_at", KEY, nullable=False),
    Column("kind", KEY, nullable=False, server_default="full"),
    Column("trigger", Text, nullable=False, server_default="request"),
    Column("doubts", Text, nullable=False, server_default="[]"),
)
"""The sync runs. The defaults are for runs from before migration 0002."""

Index("sync_runs_by_start", sync_runs.c.workshop, sync_runs.c.started_at, sync_runs.c.id)

rejected_logins = Table(
    "rejected_logins",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("rejected_at", KEY, nullable=False),
)
"""The fingerprint of the credentials that PlanSo last rejected, so that they are not tried again."""

leases = Table(
    "leases",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("name", KEY, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", KEY, nullable=False),
)
"""What only one process at a time may do, and which process holds it."""

planso_leases = Table(
    "planso_leases",
    metadata,
    Column("address", KEY, primary_key=True),
    Column("id", Text, nullable=False),
    Column("holder", KEY, nullable=False),
    Column("renewals", BigInteger, nullable=False),
    Column("expires_at", KEY, nullable=False),
)
"""
Which process may send requests to which PlanSo. `id` is new with each acquisition, so that a late statement can't
change a later one. Others see by `renewals` that the holder lives; `expires_at` is for operators. Not of a workshop:
two workshops with one PlanSo share the lease.
"""

forwarded_calls = Table(
    "forwarded_calls",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("kind", KEY, nullable=False),
    Column("request", Text, nullable=False),
    Column("state", KEY, nullable=False),
    Column("response", Text),
    Column("holder", KEY),
    Column("created_at", KEY, nullable=False),
    Column("expires_at", KEY, nullable=False),
)
"""
What a process asks of the one that has the workshop's PlanSo lease (`holder`, once it has begun). `request` and
`response` are JSON; a row is deleted with its response being fetched, or when it expires.
"""
