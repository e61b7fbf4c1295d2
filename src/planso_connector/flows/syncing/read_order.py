"""
Reading: bring one order of the mirror in step with PlanSo. PlanSo is asked first, then one transaction stores it.

Used by every verb that reads an order: the sync, a look at one order, the read-back of a write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import PageChanged, PlansoError, PlansoUnavailable, StoreUnavailable
from planso_connector.domain.fields import Value
from planso_connector.domain.order import (
    BoardEntry,
    FormReading,
    Order,
    compose_order,
    has_identity,
    is_emptied,
    update_from_form,
    update_from_parts,
)
from planso_connector.domain.page_drift import Doubt, check_form, check_parts, find_oversized
from planso_connector.domain.reconcile import fingerprint_entry
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.pages.form import Form, FormMissing
from planso_connector.store import history, orders, unreadable_pages
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.orders import SaveOutcome

log = structlog.get_logger(__name__)

RECHECK_DELAY = 1.0
"""Seconds after which an order that seems not to exist is read again."""


class EmptyForm(PlansoUnavailable):
    """PlanSo answers with an empty form for an order that is not empty; nothing is stored of it."""

    def __init__(self, form: Form) -> None:
        super().__init__(f"PlanSo answers with an empty form for order {form.order_id}.")
        self.form = form


class EmptyOrder(EmptyForm):
    """An order that the mirror does not know is listed, and its form holds nothing."""


@dataclass(slots=True)
class ReadResult:
    """What came of one reading. `before` and `after` are the labels that held something, to tell fill rates."""

    has_changed: bool
    doubts: tuple[Doubt, ...] = ()
    filled_before: frozenset[str] = field(default=frozenset())
    filled_after: frozenset[str] = field(default=frozenset())


class OrderReader:
    """Lives as long as the process. `accept` takes pages over as they are, doubtful or not: a person said so."""

    def __init__(self, database: Database, planso: PlansoClient, clock: Clock, *, parts: bool) -> None:
        self._database = database
        self._planso = planso
        self._clock = clock
        self._parts = parts
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        planso.on_page_changed = self._keep

    @asynccontextmanager
    async def hold_order(self, order_id: int) -> AsyncIterator[None]:
        """
        While this lasts nobody else in this process begins to read the order's form: what others read is read before a
        save or after it was read back, so no edit that the save overwrites is seen and forgotten.
        """
        lock = self._locks.get(order_id)
        if lock is None:
            lock = self._locks[order_id] = asyncio.Lock()
        async with lock:
            yield

    async def _until_not_saved(self, order_id: int) -> None:
        lock = self._locks.get(order_id)
        if lock is not None:
            async with lock:
                pass

    async def load_mirrored(self, order_id: int) -> Order | None:
        return await self._database.read(lambda tx: orders.load(tx, order_id))

    async def read(self, entry: BoardEntry, *, accept: bool = False) -> ReadResult:
        """Read and store an order of the list. Raises PlansoError; EmptyForm and EmptyOrder: nothing was stored."""
        return await self._read(entry.order_id, entry, accept=accept)

    async def read_unlisted(self, order_id: int) -> ReadResult:
        """Read and store an order whose list entry is not at hand: it keeps what the list said of it last."""
        return await self._read(order_id, None, accept=False)

    async def _read(self, order_id: int, entry: BoardEntry | None, *, accept: bool) -> ReadResult:
        await self._until_not_saved(order_id)
        read_at = self._now()
        page = await self._planso.read_form(order_id)
        form = page.read_fields()
        known = await self.load_mirrored(order_id)
        held = known.values if known is not None and not accept else {}
        if form.is_blank or is_emptied(held, form):
            _check_empty(page, known)
        doubts: tuple[Doubt, ...] = ()
        believed = form
        if not accept:
            believed, doubts = check_form(known, form)
        parts = await self._planso.read_parts(order_id) if self._parts else None
        if parts is not None and known is not None and not accept:
            parts, more = check_parts(known.parts, parts)
            doubts += more
        if entry is None and known is not None:
            order = update_from_form(known, believed)
            order = update_from_parts(order, parts) if parts is not None else order
        else:
            order = compose_order(entry, order_id, believed, parts)
        changed = await self._store(order, entry, read_at, with_parts=parts is not None)
        return ReadResult(changed, (*doubts, *find_oversized(entry, parts)), _filled(known), _shown(form))

    async def _store(self, order: Order, entry: BoardEntry | None, read_at: str, *, with_parts: bool) -> bool:
        now = self._now()
        mark = fingerprint_entry(entry) if entry is not None else None
        saved = await self._database.write(
            lambda tx: orders.save(tx, order, read_at=read_at, now=now, list_fingerprint=mark, with_parts=with_parts)
        )
        return saved.outcome in (SaveOutcome.INSERTED, SaveOutcome.CHANGED)

    async def store_form(self, form: FormReading, known: Order | None, read_at: str) -> None:
        """The mirror takes a form that was read for another purpose; nothing where it does not know the order."""
        if known is not None:
            believed, _ = check_form(known, form)
            await self._store(update_from_form(known, believed), None, read_at, with_parts=False)

    async def replace_order(self, order_id: int, form: FormReading, read_at: str) -> None:
        """The mirror takes the order as it is now, whatever it held: the number is another order's."""
        await self._store(await self.compose_order(order_id, form), None, read_at, with_parts=True)

    async def mark_deleted(self, order_id: int, read_at: str) -> None:
        """The mirror takes note that PlanSo has no such order, as `Live.existing_form` was shown at `read_at`."""
        now = self._now()
        await self._database.write(lambda tx: orders.mark_deleted(tx, order_id, now=now, read_at=read_at))

    async def store_form_unless_empty(self, order_id: int, form: FormReading, read_at: str) -> None:
        """As `keep`, of an order that was looked at in passing; nothing either where its form has emptied."""
        known = await self.load_mirrored(order_id)
        if known is not None and not form.is_blank and not is_emptied(known.values, form):
            await self.store_form(form, known, read_at)

    async def edits_since(self, order_id: int, instant: str) -> list[list[history.Change]]:
        """What people in PlanSo were seen to change since `instant`, by version, oldest first."""
        return await self._database.read(lambda tx: history.edits_since(tx, order_id, instant))

    async def is_form_gone(self, order_id: int, held: Mapping[str, Value]) -> bool:
        """
        Whether the form, read twice, is one that PlanSo shows for an order that does not exist: none, blank, without
        nearly all values that the order `held`, or naming neither person nor vehicle. Twice, because PlanSo now and
        then shows an empty form for an order that is well.
        """
        for pause in (0.0, RECHECK_DELAY):
            await asyncio.sleep(pause)
            try:
                form = (await self._planso.read_form(order_id)).read_fields()
            except FormMissing:
                continue
            if not form.is_blank and not is_emptied(held, form) and has_identity(form):
                return False
        return True

    async def _keep(self, error: PageChanged, order_id: int | None) -> None:
        """Every page that can't be read, whoever asked for it; who asked learns of the page, not of our trouble."""
        if not error.content:
            return
        now = self._now()

        def work(tx: Transaction) -> None:
            unreadable_pages.save(
                tx,
                kind=error.page,
                order_id=order_id,
                reason=str(error),
                content=error.content,
                now=now,
            )

        try:
            await self._database.write(work)
        except StoreUnavailable as trouble:
            log.warning("page_not_kept", page=error.page, order_id=order_id, error=type(trouble).__name__)

    async def compose_order(self, order_id: int, form: FormReading) -> Order:
        """An order that the mirror does not know, around a form just read: its parts and list entry are asked for."""
        parts = None
        try:
            parts = await self._planso.read_parts(order_id)
        except PlansoError as error:
            log.warning("parts_unread", order_id=order_id, error=type(error).__name__)
        try:
            board = await self._planso.read_board()
        except PlansoError as error:
            # Without the list it is not known to be archived; the next sync reads the entry.
            log.warning("list_unread", order_id=order_id, error=type(error).__name__)
            board = [BoardEntry(order_id)]
        entry = next((entry for entry in board if entry.order_id == order_id), None)
        return compose_order(entry, order_id, form, parts)

    def _now(self) -> str:
        return format_instant(self._clock())


def _check_empty(page: Form, known: Order | None) -> None:
    """
    What an empty form means. Raises EmptyForm for an order that showed more and for a page without labels: that is
    PlanSo's trouble; EmptyOrder for an order that was never known. One that showed no more before is just empty.
    """
    form = page.read_fields()
    showed_more = known is not None and any(
        shown and form.fields.get(label) != shown for label, shown in known.fields.items()
    )
    if showed_more or not form.fields:
        raise EmptyForm(page)
    if known is None:
        raise EmptyOrder(page)


def _filled(known: Order | None) -> frozenset[str]:
    return frozenset(label for label, shown in known.fields.items() if shown) if known is not None else frozenset()


def _shown(form: FormReading) -> frozenset[str]:
    return frozenset(label for label, shown in form.fields.items() if shown)
