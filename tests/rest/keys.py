"""API keys for tests, made without the command."""

from __future__ import annotations

from typing import Any

from planso_connector.domain import caller
from planso_connector.domain.scopes import Scope
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.transaction import Transaction
from tests.service import Service
from tests.store.samples import at


def make_key(
    service: Service, *scopes: Scope, name: str = "agent", workshop: str = "default", **columns: Any
) -> dict[str, str]:
    """A new key, as request headers."""
    key_id, secret = caller.generate_key_id(), caller.generate_secret()
    key = ApiKey(key_id, name, frozenset(scopes), caller.hash_secret(secret), at(1), **columns)

    def add(tx: Transaction) -> None:
        tx.use_workshop(workshop)
        api_keys.add(tx, key)

    service.write_database(add)
    return {"Authorization": f"Bearer {caller.format_key(key_id, secret)}"}
