"""Who may see personal data, who was shown it, and what was erased."""

from sqlalchemy import Column, Index, Integer, Table, Text

from planso_connector.store.tables.columns import KEY, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("previous_digest", Text),
    Column("previous_until", KEY),
    Column("created_at", KEY, nullable=False),
    Column("expires_at", KEY),
    Column("revoked_at", KEY),
    Column("last_used_at", KEY),
)
# To find a key of whatever workshop.
Index("api_keys_by_id", api_keys.c.id)
"""
The API keys; none is ever deleted, so that the API stays closed to requests without one. `digest` is the secret's
SHA-256, `previous_digest` that of the previous secret, which is valid until `previous_until`.
"""

access_log = Table(
    "access_log",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("at", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("caller", KEY, nullable=False),
    Column("route", Text, nullable=False),
    Column("order_ids", Text, nullable=False),
    Column("times", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""
Who was shown which orders: a row for each response, in time order. `caller` is the key's id, `""` without one;
`order_ids` are `,123,130,`. No foreign key: it outlives the orders.
"""

erasure_log = Table(
    "erasure_log",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("erased_at", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("salt", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("order_ids", Text, nullable=False),
    Column("operation_ids", Text, nullable=False),
    Column("counts", Text, nullable=False),
)
"""
Erasures of personal data: the kind of identifier, which is stored only as a salted fingerprint, JSON lists of the
orders that named the person and, in `operation_ids`, of the operations and notices, and the number of erased rows by
table.
"""
