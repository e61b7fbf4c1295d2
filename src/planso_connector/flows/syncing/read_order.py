"""
Read an order from PlanSo into the mirror. PlanSo is requested first, then one transaction stores the order.

Used by all flows that read orders: the sync, live reads, the read-back of a write.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import structlog

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import PageChanged, PlansoError, PlansoUnavailable, StoreUnavailable
from planso_connector.domain.fields import Value
from planso_connector.domain.order import (
    BoardEntry,
    FormReading,
    Order,
    compose_order,
    has_identifying_value,
    is_emptied,
    update_from_form,
    update_from_parts,
)
from planso_connector.domain.page_drift import Doubt, check_form, check_parts, find_oversized
from planso_connector.domain.reconcile import fingerprint_entry
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.pages.form_parser import Form, FormMissing
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
    """A listed order that is not in the mirror has an empty form; it was not stored."""


@dataclass(slots=True)
class ReadResult:
    """`filled_before` and `filled_after` are the labels that had a value, for fill rates."""

    has_changed: bool
    doubts: tuple[Doubt, ...] = ()
    filled_before: frozenset[str] = field(default=frozenset())
    filled_after: frozenset[str] = field(default=frozenset())


class OrderReader:
    """With `accept`, pages are stored as they are, doubtful or not: a person said so."""

    def __init__(self, database: Database, planso: PlansoClient, clock: Clock, *, parts: bool) -> None:
        self._database = database
        self._planso = planso
        self._clock = clock
        self._parts = parts
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        planso.on_page_changed = self._save_unreadable

    @asynccontextmanager
    async def hold_order(self, order_id: int) -> AsyncIterator[None]:
        """
        While inside, nobody else in this process starts to read the order's form: others read it before a save or after
        its read-back, so that no edit that the save overwrites is seen and lost.
        """
        lock = self._locks.get(order_id)
        if lock is None:
            lock = self._locks[order_id] = asyncio.Lock()
        async with lock:
            yield

    async def _wait_for_save(self, order_id: int) -> None:
        lock = self._locks.get(order_id)
        if lock is not None:
            async with lock:
                pass

    async def load_mirrored(self, order_id: int) -> Order | None:
        return await self._database.read_briefly(lambda tx: orders.load(tx, order_id))

    async def read(self, entry: BoardEntry, *, accept: bool = False) -> ReadResult:
        """Read and store an order of the list. Raises PlansoError; EmptyForm and EmptyOrder: nothing was stored."""
        return await self._read(entry.order_id, entry, accept=accept)

    async def read_unlisted(self, order_id: int) -> ReadResult:
        """Read and store an order without its list entry: it keeps what the list said last."""
        return await self._read(order_id, None, accept=False)

    async def _read(self, order_id: int, entry: BoardEntry | None, *, accept: bool) -> ReadResult:
        await self._wait_for_save(order_id)
        read_at = self._now()
        page = await self._planso.read_form(order_id)
        form = page.read_fields()
        mirrored = await self.load_mirrored(order_id)
        held = mirrored.values if mirrored is not None and not accept else {}
        if form.is_blank or is_emptied(held, form):
            _check_empty(page, mirrored)
        doubts: tuple[Doubt, ...] = ()
        believed = form
        if not accept:
            believed, doubts = check_form(mirrored, form)
        parts = await self._planso.read_parts(order_id) if self._parts else None
        if parts is not None and mirrored is not None and not accept:
            parts, more = check_parts(mirrored.parts, parts)
            doubts += more
        if entry is None and mirrored is not None:
            order = update_from_form(mirrored, believed)
            order = update_from_parts(order, parts) if parts is not None else order
        else:
            order = compose_order(entry, order_id, believed, parts)
        changed = await self._store(order, entry, read_at, with_parts=parts is not None)
        return ReadResult(
            changed, (*doubts, *find_oversized(entry, parts)), _filled_labels(mirrored), _filled_labels(form)
        )

    async def _store(self, order: Order, entry: BoardEntry | None, read_at: Instant, *, with_parts: bool) -> bool:
        now = self._now()
        fingerprint = fingerprint_entry(entry) if entry is not None else None
        saved = await self._database.write(
            lambda tx: orders.save(
                tx, order, read_at=read_at, now=now, list_fingerprint=fingerprint, with_parts=with_parts
            )
        )
        return saved.outcome in (SaveOutcome.INSERTED, SaveOutcome.CHANGED)

    async def store_form(self, form: FormReading, mirrored: Order | None, read_at: Instant) -> None:
        """Store a form that was read for another purpose; nothing if the order is not in the mirror."""
        if mirrored is not None:
            believed, _ = check_form(mirrored, form)
            await self._store(update_from_form(mirrored, believed), None, read_at, with_parts=False)

    async def replace_order(self, order_id: int, form: FormReading, read_at: Instant) -> None:
        """Store the order as it is now, whatever the mirror held: its number belongs to another order now."""
        await self._store(await self.compose_order(order_id, form), None, read_at, with_parts=True)

    async def mark_deleted(self, order_id: int, read_at: Instant) -> None:
        """Mark the order deleted; `read_at`: when the request that found it missing in PlanSo was started."""
        now = self._now()
        await self._database.write(lambda tx: orders.mark_deleted(tx, order_id, now=now, read_at=read_at))

    async def store_form_unless_empty(self, order_id: int, form: FormReading, read_at: Instant) -> None:
        """Store a form that was read in passing; nothing if the order is not in the mirror or its form is empty."""
        mirrored = await self.load_mirrored(order_id)
        if mirrored is not None and not form.is_blank and not is_emptied(mirrored.values, form):
            await self.store_form(form, mirrored, read_at)

    async def edits_since(self, order_id: int, instant: Instant) -> list[list[history.Change]]:
        """What was changed in PlanSo since `instant`, by version, oldest first."""
        return await self._database.read_briefly(lambda tx: history.edits_since(tx, order_id, instant))

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
            if not form.is_blank and not is_emptied(held, form) and has_identifying_value(form):
                return False
        return True

    async def _save_unreadable(self, error: PageChanged, order_id: int | None) -> None:
        """Save a page that could not be read. Failures are logged: the caller gets the page's error instead."""
        if not error.content:
            return
        now = self._now()

        def work(tx: Transaction) -> None:
            unreadable_pages.save(
                tx, kind=error.page, order_id=order_id, reason=str(error), content=error.content, now=now
            )

        try:
            await self._database.write(work)
        except StoreUnavailable as store_error:
            log.warning("page_not_kept", page=error.page, order_id=order_id, error=type(store_error).__name__)

    async def compose_order(self, order_id: int, form: FormReading) -> Order:
        """Compose an order that is not in the mirror from a form just read; reads its parts and list entry."""
        parts = None
        try:
            parts = await self._planso.read_parts(order_id)
        except PlansoError as error:
            log.warning("parts_unread", order_id=order_id, error=type(error).__name__)
        try:
            board = await self._planso.read_board()
        except PlansoError as error:
            # Whether it is archived is unknown without the list; the next sync reads the entry.
            log.warning("list_unread", order_id=order_id, error=type(error).__name__)
            board = [BoardEntry(order_id)]
        entry = next((entry for entry in board if entry.order_id == order_id), None)
        return compose_order(entry, order_id, form, parts)

    def _now(self) -> Instant:
        return format_instant(self._clock())


def _check_empty(page: Form, mirrored: Order | None) -> None:
    """
    Raises EmptyForm if the order showed more before or the page has no labels, a fault of PlanSo; EmptyOrder if it is
    not in the mirror. An order that showed no more before is just empty.
    """
    form = page.read_fields()
    showed_more = mirrored is not None and any(
        shown and form.fields.get(label) != shown for label, shown in mirrored.fields.items()
    )
    if showed_more or not form.fields:
        raise EmptyForm(page)
    if mirrored is None:
        raise EmptyOrder(page)


def _filled_labels(order: Order | FormReading | None) -> frozenset[str]:
    return frozenset(label for label, text in order.fields.items() if text) if order is not None else frozenset()
