"""Log of erasures by salted fingerprint: whoever knows the identifier can verify that its data were erased."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest

from sqlalchemy import bindparam, insert, select

from planso_connector.domain.clock import Instant
from planso_connector.domain.recognition.identifier import Identifier
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import erasure_log


@dataclass(frozen=True, slots=True)
class Erasure:
    """`row_ids`: of operations and notices; `counts`: rows by table."""

    id: str
    erased_at: Instant
    kind: str
    order_ids: tuple[int, ...]
    row_ids: tuple[str, ...]
    counts: Mapping[str, int]


_NEW = insert(erasure_log).values(row_parameters(erasure_log))
_ANY = select(erasure_log.c.id).where(erasure_log.c.workshop == bindparam("of_workshop")).limit(1)
_OF_KIND = (
    select(erasure_log)
    .where(erasure_log.c.workshop == bindparam("of_workshop"), erasure_log.c.kind == bindparam("of_kind"))
    .order_by(erasure_log.c.erased_at, erasure_log.c.id)
)


def record(
    tx: Transaction,
    identifier: Identifier,
    *,
    now: Instant,
    order_ids: Iterable[int],
    row_ids: Iterable[str],
    counts: Mapping[str, int],
) -> str:
    """Returns the erasure's id."""
    salt, erasure_id = secrets.token_hex(16), "erasure_" + secrets.token_hex(10)
    lists = {"order_ids": to_json(sorted(order_ids)), "operation_ids": to_json(sorted(row_ids))}
    proof = {"kind": identifier.kind.value, "salt": salt, "fingerprint": _fingerprint(identifier, salt)}
    tx.execute(_NEW, id=erasure_id, erased_at=now, **proof, **lists, counts=to_json(dict(counts)))
    return erasure_id


def has_any(tx: Transaction) -> bool:
    return bool(tx.fetch_all(_ANY))


def find(tx: Transaction, identifier: Identifier) -> list[Erasure]:
    """Erasures for this identifier, oldest first. Takes some 50 ms for each erasure of the kind."""
    rows = tx.fetch_all(_OF_KIND, of_kind=identifier.kind.value)
    return [_from_row(row) for row in rows if compare_digest(row["fingerprint"], _fingerprint(identifier, row["salt"]))]


def _from_row(row: Row) -> Erasure:
    order_ids, row_ids = (tuple(json.loads(row[name])) for name in ("order_ids", "operation_ids"))
    return Erasure(row["id"], row["erased_at"], row["kind"], order_ids, row_ids, json.loads(row["counts"]))


def _fingerprint(identifier: Identifier, salt: str) -> str:
    # A slow hash: there are so few phone numbers and plates that a fast one could be reversed.
    return hashlib.scrypt(identifier.key.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()
