"""SQL of API keys. Secrets are stored as digests only; keys are never deleted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Text, bindparam, insert, select, update

from planso_connector.domain.clock import Instant
from planso_connector.domain.scopes import Scope
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import api_keys


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is the secret's; `previous_digest` that of the previous secret, valid until `previous_until`."""

    id: str
    name: str
    scopes: frozenset[Scope]
    digest: str
    created_at: Instant
    workshop: str = ""
    expires_at: Instant | None = None
    previous_digest: str | None = None
    previous_until: Instant | None = None
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None


_OF_WORKSHOP = api_keys.c.workshop == bindparam("of_workshop")
_IS = _OF_WORKSHOP, api_keys.c.id == bindparam("of_id")
_NEW = insert(api_keys).values(row_parameters(api_keys))
_GET = select(api_keys).where(*_IS)
_ALL = select(api_keys).where(_OF_WORKSHOP).order_by(api_keys.c.created_at, api_keys.c.id)
_FIND = select(api_keys).where(api_keys.c.id == bindparam("of_id")).order_by(api_keys.c.workshop)
_ANY = select(api_keys.c.id).where(_OF_WORKSHOP).limit(1)
_REVOKE = update(api_keys).where(*_IS, api_keys.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_REVOKE_ALL = update(api_keys).where(_OF_WORKSHOP, api_keys.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_ROTATE = (
    update(api_keys)
    .where(*_IS, api_keys.c.revoked_at.is_(None))
    .values(
        previous_digest=api_keys.c.digest,
        previous_until=bindparam("previous_until"),
        digest=bindparam("new_digest"),
        expires_at=bindparam("new_expiry", type_=Text),
    )
)
_USED = update(api_keys).where(*_IS).values(last_used_at=bindparam("at"))


def add(tx: Transaction, key: ApiKey) -> None:
    row = asdict(key) | {
        "workshop": tx.workshop,
        "name": sanitize_text(key.name),
        "scopes": to_json(sorted(key.scopes)),
    }
    tx.execute(_NEW, **row)


def get(tx: Transaction, key_id: str) -> ApiKey | None:
    found = tx.fetch_all(_GET, of_id=key_id)
    return _key(found[0]) if found else None


def find(tx: Transaction, key_id: str) -> tuple[ApiKey, ...]:
    """The keys of this id, of whatever workshop; for a transaction of the whole installation."""
    return tuple(map(_key, tx.fetch_all(_FIND, of_id=key_id)))


def list_all(tx: Transaction) -> list[ApiKey]:
    """Oldest first, revoked and expired ones too."""
    return [_key(row) for row in tx.fetch_all(_ALL)]


def has_any(tx: Transaction) -> bool:
    """Whether there ever was a key. Revoked and expired ones count: else the API would open when the last one ends."""
    return bool(tx.fetch_all(_ANY))


def revoke(tx: Transaction, key_id: str, *, now: Instant) -> bool:
    """False if there is no such key, or it is revoked already."""
    return tx.execute(_REVOKE, of_id=key_id, now=now) == 1


def revoke_all(tx: Transaction, *, now: Instant) -> int:
    """Revoke every key of the workshop; how many were not revoked yet."""
    return tx.execute(_REVOKE_ALL, now=now)


def rotate(tx: Transaction, key_id: str, *, digest: str, previous_until: Instant, expires_at: Instant | None) -> bool:
    """Set a new secret; the previous one stays valid until then. False if there is no such key, or it is revoked."""
    rotated = {"new_digest": digest, "previous_until": previous_until, "new_expiry": expires_at}
    return tx.execute(_ROTATE, of_id=key_id, **rotated) == 1


def record_use(tx: Transaction, at: Mapping[str, str]) -> None:
    """Record when each key was last used, by its id."""
    tx.execute_many(_USED, [{"of_id": key_id, "at": stamp} for key_id, stamp in at.items()])


def _key(row: Row) -> ApiKey:
    # A scope of a newer version grants nothing here.
    known = frozenset(Scope(scope) for scope in json.loads(row["scopes"]) if scope in set(Scope))
    return ApiKey(**{**row, "scopes": known})
