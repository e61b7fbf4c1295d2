"""Read the change feed: pages of events after a cursor, waiting for the next ones if asked to."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from planso_connector.domain.errors import CursorExpired, Invalid, Problem, StoreUnavailable
from planso_connector.domain.events import EventType
from planso_connector.domain.messages import MESSAGES
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.store import change_feed
from planso_connector.store.change_feed import FeedBounds, FeedEvent
from planso_connector.store.engine.database import Database, Transaction

LATEST = "latest"
"""In place of a cursor: only what comes from now on."""

POLL_INTERVAL = 0.25
"""Seconds between two looks for new events while a reader waits."""

HEARTBEAT_INTERVAL = 15.0
"""Seconds after which a stream without events gets an empty page."""

_CURSOR = re.compile(r"([0-9a-f]{8})-(0|[1-9][0-9]{0,17})")


class FeedCursor(NamedTuple):
    """The place behind an event. `epoch` is that of `store.change_feed.FeedBounds`."""

    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """
    The events behind `after`: a cursor, LATEST, or None for the oldest that are kept. Of any type where `types` is
    empty, of any order where `order_id` is None.
    """

    after: str | None = None
    types: frozenset[EventType] = frozenset()
    order_id: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`cursor`: behind what was looked through. `has_more`: whether there is more behind it to look through."""

    events: Sequence[FeedEvent]
    cursor: FeedCursor
    has_more: bool


def parse_cursor(text: str) -> FeedCursor:
    """Raises Invalid."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise Invalid([Problem.of(("query", "after"), MESSAGES["feed_cursor"], "cursor")])
    return FeedCursor(match[1], int(match[2]))


class ChangeFeed:
    """Readers number the events that have no number yet; see `store.change_feed`."""

    def __init__(self, database: Database, wait_limit: WaitLimit) -> None:
        self._database = database
        self._wait_limit = wait_limit
        self._is_draining = False

    async def read(self, query: FeedQuery, wait: float = 0.0) -> FeedPage:
        """
        The next page. Without any event, it comes when there is one or after `wait` seconds. Raises Invalid for what is
        no cursor, CursorExpired where events behind it were deleted or the database was restored since, TooManyWaiting.
        """
        page = await self._read_page(query)
        if page.events or page.has_more or wait <= 0:
            return page
        until = asyncio.get_running_loop().time() + wait
        with self._wait_limit.acquire():
            while not page.events and not self._is_draining:
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                await asyncio.sleep(min(POLL_INTERVAL, left))
                page = await self._read_page(replace(query, after=str(page.cursor)))
        return page

    async def stream(self, query: FeedQuery) -> AsyncIterator[FeedPage]:
        """
        Page after page as they come, at least one every HEARTBEAT_INTERVAL, until the process ends. Raises as `read`;
        the first page tells whether it does.
        """
        page = await self.read(query)
        yield page
        while not self._is_draining:
            page = await self.read(replace(query, after=str(page.cursor)), HEARTBEAT_INTERVAL)
            yield page

    def drain(self) -> None:
        """Those who wait get their answer now."""
        self._is_draining = True

    async def _read_page(self, query: FeedQuery) -> FeedPage:
        bounds, is_complete = await self._database.read_briefly(
            lambda tx: (change_feed.get_bounds(tx), not change_feed.has_unnumbered(tx))
        )
        if bounds is None or not is_complete:
            # Where that can't be done now, what has numbers is read.
            with suppress(StoreUnavailable):
                bounds = await self._database.write(_number_events)
        if bounds is None:
            raise StoreUnavailable("The change feed can't be begun now: the connector's database takes no writes.")
        after = _find_start(bounds, query.after)
        found = bounds.last_number if not query.types else min(bounds.last_number, after + change_feed.SEARCHED_AT_ONCE)
        events = await self._database.read_briefly(
            lambda tx: change_feed.list_events(
                tx, after=after, up_to=found, limit=query.limit, types=query.types, order_id=query.order_id
            )
        )
        looked_to = events[-1].number if len(events) == query.limit else found
        return FeedPage(events, FeedCursor(bounds.epoch, looked_to), looked_to < bounds.last_number)


def _number_events(tx: Transaction) -> FeedBounds | None:
    change_feed.number_events(tx)
    return change_feed.get_bounds(tx)


def _find_start(bounds: FeedBounds, after: str | None) -> int:
    """The number behind which the page begins."""
    if after is None:
        return bounds.dropped_number
    if after == LATEST:
        return bounds.last_number
    cursor = parse_cursor(after)
    if cursor.epoch != bounds.epoch or not bounds.dropped_number <= cursor.number <= bounds.last_number:
        raise CursorExpired(str(FeedCursor(bounds.epoch, bounds.dropped_number)))
    return cursor.number
