"""
Read a response up to a bound, both of the bytes that arrive and of those they decompress to.

httpx2 has no such bound, and decompresses each chunk as a whole; so the raw chunks are read here.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import Self

import httpx2

ACCEPT_ENCODING = "gzip, deflate"

LARGE_RESPONSE, MAX_LARGE_RESPONSES = 65_536, 3
"""
At most this many responses of more than LARGE_RESPONSE bytes are held at once, from their arrival until they are
parsed: sixty callers who waited for orders with 4 MB each took 300 MB.
"""

_MIN_CHUNK_COST = 64
"""Each chunk counts as this many bytes at least: a megabyte in chunks of one byte takes 20 s of CPU."""
_YIELD_AFTER = 0.02
"""Seconds of reading after which other tasks get a turn, where chunks arrive faster than they are processed."""
_WINDOW_BITS = {"gzip": 47, "x-gzip": 47, "deflate": 47}
"""Content coding to zlib's `wbits`; 47 detects a gzip or zlib header."""
_RAW_DEFLATE = -15
_DROPPED_HEADERS = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class ResponseTooLarge(httpx2.RequestError):
    """The response has more than `max_bytes` bytes; the rest was not read."""

    def __init__(self, max_bytes: int, request: httpx2.Request) -> None:
        super().__init__(f"the response is larger than {max_bytes} bytes", request=request)
        self.max_bytes = max_bytes


class LargeResponseSlot:
    """
    A place among `slots` for one response after the other, taken once a response turns out to be large. Use it as a
    context manager around reading and parsing.
    """

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_acquired = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def acquire(self) -> None:
        if not self._is_acquired:
            await self._slots.acquire()
            self._is_acquired = True

    def release(self) -> None:
        if self._is_acquired:
            self._is_acquired = False
            self._slots.release()


async def read_bounded(
    response: httpx2.Response, max_bytes: int, slot: LargeResponseSlot | None = None
) -> httpx2.Response:
    """
    Read a streamed response, close it, and return one with the decompressed content. Raises ResponseTooLarge, and
    httpx2's errors: DecodingError where the content can't be decompressed.
    """
    try:
        content = await _read_content(response, max_bytes, slot)
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _DROPPED_HEADERS]
    return httpx2.Response(response.status_code, headers=headers, content=content, request=response.request)


async def _read_content(response: httpx2.Response, max_bytes: int, slot: LargeResponseSlot | None) -> bytes:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):
        raise ResponseTooLarge(max_bytes, response.request)
    decompressor = _Decompressor(response, max_bytes)
    received, turn_began = 0, time.perf_counter()
    assert isinstance(response.stream, httpx2.AsyncByteStream), "the response of an asynchronous transport"
    async for chunk in response.stream:  # as `aiter_raw`, which is slower
        received += max(len(chunk), _MIN_CHUNK_COST)
        if received > max_bytes:
            raise ResponseTooLarge(max_bytes, response.request)
        decompressor.add(chunk)
        if slot is not None and decompressor.size > LARGE_RESPONSE:
            await slot.acquire()
        if time.perf_counter() - turn_began > _YIELD_AFTER:
            await asyncio.sleep(0)
            turn_began = time.perf_counter()
    return b"".join(decompressor.chunks)


class _Decompressor:
    """Collect a response's chunks, decompressed where it is compressed, up to `max_bytes`."""

    def __init__(self, response: httpx2.Response, max_bytes: int) -> None:
        self._request, self._max_bytes = response.request, max_bytes
        names = response.headers.get("content-encoding", "").lower().split(",")
        codings = [name.strip() for name in names if name.strip() in _WINDOW_BITS]
        if len(codings) > 1:
            raise httpx2.DecodingError("the response is compressed more than once", request=self._request)
        self._zlib = zlib.decompressobj(_WINDOW_BITS[codings[0]]) if codings else None
        self._may_lack_header = codings == ["deflate"]
        self.chunks: list[bytes] = []
        self.size = 0

    def add(self, chunk: bytes) -> None:
        if self._zlib is not None:
            chunk = self._decompress(self._zlib, chunk)
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise ResponseTooLarge(self._max_bytes, self._request)
        self.chunks.append(chunk)

    def _decompress(self, decompressor: zlib._Decompress, chunk: bytes) -> bytes:
        try:
            return decompressor.decompress(chunk, self._max_bytes - self.size + 1)
        except zlib.error as error:
            if not self._may_lack_header or self.size:
                raise httpx2.DecodingError("the response can't be decompressed", request=self._request) from error
        # Some servers send deflate without zlib's header.
        self._may_lack_header = False
        self._zlib = zlib.decompressobj(_RAW_DEFLATE)
        return self._decompress(self._zlib, chunk)
