"""
Rate limits per API key and per address: token buckets, and how many requests may be in flight, also of one workshop.

A bucket holds `count` requests and refills within `seconds`. Responses tell its state in Retry-After and in the
RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, partial
from heapq import nsmallest

from starlette.types import Scope

from planso_connector.rest.middleware.trusted_hosts import Network
from planso_connector.rest.request_context import get_context

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{1,5})?\s*(s|min|h)")
_MAX_BUCKETS, _DROPPED_AT_ONCE = 8192, 1024
"""Buckets kept of each group, so that memory is bounded. Dropped first: full ones, then the least recently used."""
_ONE_TOKEN = 1.0 - 1e-9
"""A token that was refilled in several steps may be less than 1 by their rounding."""
_MAX_ADDRESS_LENGTH = 64
_UNKNOWN_ADDRESS = "unknown"

MAX_ACTIVE_READS = 64
"""
Reads that keep the process busy at once: each takes about a millisecond, and all others in flight wait for it. As many
as one key may have in flight, and at most half of all slots, so that writes get the others.
"""


@dataclass(frozen=True, slots=True)
class Rate:
    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Rate | None:
        """`100/s`, `1000/10s`, `600/min`; None, no limit, for `0`. Raises ValueError."""
        if text.strip() == "0":
            return None
        match = _RATE.fullmatch(text.strip().lower())
        if match is None or int(match[1]) == 0 or match[2] == "0":
            raise ValueError(
                f"'{text}': accepted: requests in a time, such as 100/s, 1000/10s or 600/min; 0 for no limit"
            )
        return cls(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


@dataclass(frozen=True, slots=True)
class Limits:
    """
    `key` and `address`: how often each may ask (settings CONNECTOR_RATE_LIMIT and CONNECTOR_ADDRESS_RATE_LIMIT);
    `parallel`: requests of one key or address in flight; `receive_timeout`: seconds for a head, and for a body.
    """

    key: Rate | None
    address: Rate | None
    exempt: tuple[Network, ...] = field(default_factory=tuple)
    """Addresses without an address limit."""
    parallel: int = 64
    parallel_total: int = 512
    connections: int = 2000
    receive_timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request that is not admitted; `retry_after` in seconds, 0: it makes no sense to retry."""

    status: int
    message: str
    retry_after: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class Priority(Enum):
    """Which requests are refused first under overload."""

    READ = 1
    WRITE = 2
    MONITORING = 3
    """Refused for its rate alone: monitoring has to see the overload."""


class _Bucket:
    __slots__ = ("in_flight", "tokens", "updated_at")

    def __init__(self, tokens: float, updated_at: float) -> None:
        self.tokens, self.updated_at, self.in_flight = tokens, updated_at, 0


class _BucketGroup:
    """The buckets of all keys, or of all addresses. Without a rate only requests in flight are limited."""

    def __init__(self, name: str, rate: Rate | None, parallel: int) -> None:
        self.name, self.parallel = name, parallel
        self._rate = rate
        self._capacity = float(rate.count) if rate else math.inf
        self._tokens_per_second = rate.count / rate.seconds if rate else 0.0
        self._policy = f'"{name}";q={rate.count};w={math.ceil(rate.seconds)}'.encode() if rate else b""
        self._buckets: dict[Hashable, _Bucket] = {}

    def get(self, owner: Hashable, now: float) -> _Bucket:
        """The owner's bucket, refilled until now."""
        bucket = self._buckets.get(owner)
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._drop_some(now)
            bucket = self._buckets[owner] = _Bucket(self._capacity, now)
        bucket.tokens = self._count_tokens(bucket, now)
        bucket.updated_at = now
        return bucket

    def _count_tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self._capacity, bucket.tokens + (now - bucket.updated_at) * self._tokens_per_second)

    def _drop_some(self, now: float) -> None:
        idle = [
            (self._count_tokens(bucket, now) < self._capacity, bucket.updated_at, number, owner)
            for number, (owner, bucket) in enumerate(self._buckets.items())
            if not bucket.in_flight
        ]
        for *_, owner in nsmallest(_DROPPED_AT_ONCE, idle):
            del self._buckets[owner]

    def check(self, bucket: _Bucket) -> Refusal | None:
        if bucket.tokens < _ONE_TOKEN:
            seconds = math.ceil((1.0 - bucket.tokens) / self._tokens_per_second)
            message = f"Too many requests of this {self.name}; retry in {seconds} s."
            return Refusal(429, message, seconds, self.build_headers(bucket))
        if bucket.in_flight >= self.parallel:
            message = f"Too many requests of this {self.name} at once; accepted: {self.parallel}."
            return Refusal(429, message, 1, self.build_headers(bucket))
        return None

    def build_headers(self, bucket: _Bucket) -> list[tuple[bytes, bytes]]:
        if not self._rate:
            return []
        seconds_until_full = math.ceil((self._capacity - bucket.tokens) / self._tokens_per_second)
        state = f'"{self.name}";r={max(0, int(bucket.tokens))};t={seconds_until_full}'.encode()
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", state)]


class RequestBuckets(list[tuple[_BucketGroup, _Bucket]]):
    """The buckets that a request counts against."""

    def take_tokens(self) -> list[tuple[bytes, bytes]]:
        """Take one of each; return the RateLimit headers."""
        headers: list[tuple[bytes, bytes]] = []
        for group, bucket in self:
            bucket.tokens -= 1.0
            headers += group.build_headers(bucket)
        return headers


class RequestSlot:
    """A request in flight, and the RateLimit headers of its response. Enter it while the request only waits."""

    __slots__ = ("_limiter", "buckets", "headers", "priority", "reads", "share")

    def __init__(self, limiter: RateLimiter, priority: Priority) -> None:
        self._limiter = limiter
        self.priority = priority
        self.reads = int(priority is Priority.READ)
        """1 for a read, else 0."""
        self.share: WorkshopShare | None = None
        """None as long as the workshop is not known."""
        self.buckets: list[_Bucket] = []
        self.headers: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> None:
        self._change_active_reads(-self.reads)

    def __exit__(self, *_: object) -> None:
        self._change_active_reads(self.reads)

    def _change_active_reads(self, difference: int) -> None:
        self._limiter.active_reads += difference
        if self.share is not None:
            self.share.active_reads += difference

    def count_for(self, workshop: str, *, is_alone: bool) -> Refusal | None:
        """
        Count the request as this workshop's. Refused if that has half of all slots or active reads already, unless it
        is the only one: the others' requests get the rest.
        """
        return self._limiter.assign(self, workshop, is_alone=is_alone)


class WorkshopShare:
    """What the requests of one workshop take of the limits for all."""

    __slots__ = ("active_reads", "in_flight")

    def __init__(self) -> None:
        self.active_reads = self.in_flight = 0


class RateLimiter:
    """`clock`: seconds, monotonic."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys = _BucketGroup("key", limits.key, limits.parallel)
        self._addresses = _BucketGroup("address", limits.address, limits.parallel)
        self._total = limits.parallel_total
        self.in_flight = 0
        self.active_reads = 0
        """Reads in flight that wait neither for PlanSo nor for their client."""
        self.max_active_reads = min(MAX_ACTIVE_READS, max(1, limits.parallel_total // 2))
        self._shares: dict[str, WorkshopShare] = {}
        self._identify = lru_cache(_MAX_BUCKETS)(partial(_identify, exempt=limits.exempt))

    def acquire(self, scope: Scope, priority: Priority = Priority.READ) -> RequestSlot | Refusal:
        """
        A slot must be given back with `release`. `max_active_reads` is left to the caller: who sends too many requests
        gets that answer first.
        """
        if priority is Priority.WRITE and self.in_flight >= self._total:
            return Refusal(503, f"The connector is full: {self._total} requests are in progress.", 1)
        found = self.find_buckets(scope)
        if isinstance(found, Refusal):
            return found
        slot = RequestSlot(self, priority)
        slot.headers = found.take_tokens()
        slot.buckets = [bucket for _, bucket in found]
        for bucket in slot.buckets:
            bucket.in_flight += 1
        self.in_flight += 1
        self.active_reads += slot.reads
        return slot

    def release(self, slot: RequestSlot) -> None:
        self.in_flight -= 1
        self.active_reads -= slot.reads
        for bucket in slot.buckets:
            bucket.in_flight -= 1
        if slot.share is not None:
            slot.share.in_flight -= 1
            slot.share.active_reads -= slot.reads

    def assign(self, slot: RequestSlot, workshop: str, *, is_alone: bool) -> Refusal | None:
        """See `RequestSlot.count_for`."""
        share = self._shares.get(workshop)
        if share is None:
            share = self._shares[workshop] = WorkshopShare()
        if not is_alone and slot.priority is not Priority.MONITORING:
            for used, total, what in (
                (share.in_flight, self._total, "requests"),
                (share.active_reads if slot.reads else 0, self.max_active_reads, "reads"),
            ):
                if used >= (total + 1) // 2:
                    message = f"Too many {what} of this workshop at once; accepted: {(total + 1) // 2}."
                    return Refusal(429, message, 1)
        share.in_flight += 1
        share.active_reads += slot.reads
        slot.share = share
        return None

    def find_buckets(self, scope: Scope) -> RequestBuckets | Refusal:
        """The buckets of a request, of which each has a token left."""
        owners = self._find_owners(scope)
        found = RequestBuckets()
        if owners:
            now = self._clock()
            for group, owner in owners:
                bucket = group.get(owner, now)
                if refusal := group.check(bucket):
                    return refusal
                found.append((group, bucket))
        return found

    def _find_owners(self, scope: Scope) -> list[tuple[_BucketGroup, Hashable]]:
        """
        The buckets this request counts against: address first, then key, so that a refused address makes no buckets for
        keys that it invents. A key is kept as a salted hash; of several, which authentication refuses, one counts.
        """
        owners: list[tuple[_BucketGroup, Hashable]] = []
        if (address := self._identify_address(scope)) is not None:
            owners.append((self._addresses, address))
        if keys := get_context(scope).api_keys:
            owners.append((self._keys, hash(min(keys))))
        return owners

    def _identify_address(self, scope: Scope) -> Hashable:
        """
        The owner of the client's address; None if exempt. Not exempt is what an untrusted proxy passes on: it comes
        from elsewhere.
        """
        client = scope.get("client")
        text: str = client[0] if client else ""
        if len(text) > _MAX_ADDRESS_LENGTH:  # a trusted proxy may pass on whatever a caller wrote
            return _UNKNOWN_ADDRESS
        owner = self._identify(text)
        is_forwarded = owner is None and b"x-forwarded-for" in dict(scope["headers"])
        return text if is_forwarded else owner


def _identify(text: str, exempt: tuple[Network, ...]) -> Hashable:
    """An IPv6 /64 counts as one address: providers assign at least that much to each customer."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _UNKNOWN_ADDRESS
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in exempt):
        return None
    if address.version == 6:
        return (6, int(address) >> 64)
    return (4, int(address))
