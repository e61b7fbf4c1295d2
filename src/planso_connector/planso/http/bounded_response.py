"""
Read an answer of PlanSo whole, and no more of it than a bound: of the bytes that arrive and of those they unpack to.

httpx2 unpacks a compressed piece before it hands anything over, and reads without end; so the raw pieces are read
here.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from planso_connector.domain.errors import PageTooLarge, PlansoError, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.login import IS_LOGIN

ACCEPT_ENCODING = "gzip, deflate"
BOARD_SIZE_FACTOR = 2
"""The list of all orders may be so many times as large as another page: a form does not grow with the workshop."""

LARGE_RESPONSE, MAX_LARGE_RESPONSES = 65_536, 3
"""
At most so many answers of more than LARGE bytes are held at once, from their arrival until they are parsed: sixty
callers who waited for orders with 4 MB each took 300 MB.
"""

_MIN_CHUNK_COST = 64
"""A piece counts as so many bytes at least: a megabyte in pieces of one byte takes 20 s of the processor."""
_YIELD_AFTER = 0.02
"""Seconds after which others get their turn where pieces arrive faster than they are taken in."""
_WINDOW_BITS = {"gzip": 47, "x-gzip": 47, "deflate": 47}
"""By coding, zlib's window bits: a header of either kind is recognised."""
_RAW_DEFLATE = -15
_DROPPED_HEADERS = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class ResponseTooLarge(httpx2.RequestError):
    """The answer is longer than `most` bytes; the rest was not read."""

    def __init__(self, most: int, request: httpx2.Request) -> None:
        super().__init__(f"the answer is larger than {most} bytes", request=request)
        self.max_bytes = most

    def to_planso_error(self, page: str, *, saves: bool) -> PlansoError:
        """By what to do next."""
        told = f"PlanSo's answer is larger than {format_size(self.max_bytes)}, and is not read (PLANSO_MAX_ANSWER)"
        if saves:
            return PlansoUnsure(f"{page}: {told}; it may have been applied")
        is_login = self.request.extensions.get(IS_LOGIN)
        return PlansoUnavailable(f"{page}: {told}") if is_login else PageTooLarge(f"{page}: {told}")


def format_size(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= 1e6 else f"{size / 1e3:.3g} KB"


class LargeResponseLimit:
    """Places for large answers."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_LARGE_RESPONSES)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[LargeResponseSlot]:
        """For one answer after the other, given back at the end: when the last one is parsed."""
        place = LargeResponseSlot(self._places)
        try:
            yield place
        finally:
            place.release()


class LargeResponseSlot:
    """Taken as soon as an answer turns out to be large."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_taken = False

    async def acquire(self) -> None:
        if not self._is_taken:
            await self._places.acquire()
            self._is_taken = True

    def release(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._places.release()


async def read_bounded(response: httpx2.Response, most: int, place: LargeResponseSlot | None = None) -> httpx2.Response:
    """
    The answer with its content, unpacked. Closes `response`. Raises AnswerTooLarge, and what httpx2 raises:
    DecodingError for what can't be unpacked.
    """
    try:
        content = await _read_content(response, most, place)
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _DROPPED_HEADERS]
    return httpx2.Response(response.status_code, headers=headers, content=content, request=response.request)


async def _read_content(response: httpx2.Response, most: int, place: LargeResponseSlot | None) -> bytes:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
        raise ResponseTooLarge(most, response.request)
    unpacked = _Decompressor(response, most)
    arrived, since = 0, time.perf_counter()
    async for piece in response.aiter_raw():
        arrived += max(len(piece), _MIN_CHUNK_COST)
        if arrived > most:
            raise ResponseTooLarge(most, response.request)
        unpacked.add(piece)
        if place is not None and unpacked.size > LARGE_RESPONSE:
            await place.acquire()
        if time.perf_counter() - since > _YIELD_AFTER:
            await asyncio.sleep(0)
            since = time.perf_counter()
    return unpacked.content()


class _Decompressor:
    """The content so far."""

    def __init__(self, response: httpx2.Response, most: int) -> None:
        codings = response.headers.get("content-encoding", "").lower().split(",")
        packed = [coding.strip() for coding in codings if coding.strip() in _WINDOW_BITS]
        self._request, self._most = response.request, most
        if len(packed) > 1:
            raise httpx2.DecodingError("the answer is packed more than once", request=self._request)
        self._unpacker = zlib.decompressobj(_WINDOW_BITS[packed[0]]) if packed else None
        self._may_lack_header = packed == ["deflate"]
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        if self._unpacker is not None:
            piece = self._unpack(self._unpacker, piece)
        self.size += len(piece)
        if self.size > self._most:
            raise ResponseTooLarge(self._most, self._request)
        self._pieces.append(piece)

    def _unpack(self, unpacker: zlib._Decompress, piece: bytes) -> bytes:
        room = self._most - self.size + 1
        try:
            return unpacker.decompress(piece, room)
        except zlib.error as error:
            if not self._may_lack_header or self.size:
                raise httpx2.DecodingError("the answer can't be unpacked", request=self._request) from error
        # Some servers send deflate without zlib's header.
        self._may_lack_header = False
        self._unpacker = zlib.decompressobj(_RAW_DEFLATE)
        return self._unpack(self._unpacker, piece)

    def content(self) -> bytes:
        return b"".join(self._pieces)
