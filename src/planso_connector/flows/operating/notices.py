"""
Notices for the workshop's people. Recording one is a transaction of its own: it needs neither PlanSo nor that writes
are accepted.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotFound
from planso_connector.store import notices
from planso_connector.store.engine.database import Database
from planso_connector.store.notices import Notice


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a caller wants, and what was heard of who it is."""

    reason: str
    name: str = ""
    phone: str = ""
    plate: str = ""
    order_id: int | None = None


class Notices:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(
        self, text: NoticeText, *, caller: str, call: str, window: timedelta, operation: str | None = None
    ) -> Notice:
        """
        On disk when this returns. The same text of the same `call` within `window` is one notice, as long as it is
        open. `operation`: the remark with this text that is on its way to PlanSo. Raises StoreUnavailable.
        """
        now = self._clock()
        said = [call, text.reason, text.name, text.phone, text.plate, text.order_id]
        new = Notice(
            id="notice_" + secrets.token_hex(8),
            created_at=format_instant(now),
            caller=caller,
            content=hashlib.blake2b(json.dumps(said).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
            reason=text.reason,
            order_id=text.order_id,
            operation=operation,
            name=text.name,
            phone=text.phone,
            plate=text.plate,
        )
        since = format_instant(now - window)
        return await self._database.write(lambda tx: notices.record(tx, new, repeated_since=since))

    async def list(self, *, done: bool, limit: int) -> Sequence[Notice]:
        """Open ones, oldest first; or those that are done, the last one first."""
        return await self._database.read(lambda tx: notices.list_page(tx, done=done, limit=limit))

    async def close(self, notice_id: str, *, caller: str) -> Notice:
        """Mark it as done, which it may be already. Raises NotFound."""
        now = format_instant(self._clock())
        found = await self._database.write(lambda tx: notices.close(tx, notice_id, now=now, caller=caller))
        if found is None:
            raise NotFound(f"There is no notice {notice_id}.")
        return found
