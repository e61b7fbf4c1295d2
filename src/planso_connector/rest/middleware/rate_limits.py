"""
How much one caller may ask for, and all of them together. Per key and per address: a rate, and how many at once.

A rate is a bucket that holds `count` requests and fills in `seconds`. Whoever empties it is told when there is room, in
Retry-After and in the RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from heapq import nsmallest

from starlette.types import Scope

from planso_connector.rest.middleware.response_state import RawHeaders
from planso_connector.rest.middleware.trusted_hosts import Network
from planso_connector.rest.request_context import extract_api_keys

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{1,5})?\s*(s|min|h)")
_MOST_CALLERS, _FORGOTTEN = 8192, 1024
"""
Remembered at once, and forgotten beyond that, so that memory stays flat: those first who have all of their rate left,
then those who asked least lately.
"""
_LONGEST_ADDRESS = 64

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rate:
    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Rate | None:
        """`100/s`, `1000/10s`, `600/min`; `0` is no bound. Raises ValueError."""
        if text.strip() == "0":
            return None
        match = _RATE.fullmatch(text.strip().lower())
        if match is None or int(match[1]) == 0 or match[2] == "0":
            raise ValueError(
                f"'{text}': accepted: requests in a time, such as 100/s, 1000/10s or 600/min; 0 for no bound"
            )
        return cls(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


@dataclass(frozen=True, slots=True)
class Limits:
    """`parallel`: requests under way of one caller; `arrival`: seconds in which a head or a body has to arrive."""

    key: Rate | None = Rate(100, 1.0)
    address: Rate | None = Rate(200, 1.0)
    exempt: tuple[Network, ...] = field(default_factory=tuple)
    """Addresses without limits of their own."""
    parallel: int = 64
    parallel_total: int = 512
    connections: int = 2000
    receive_timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """`retry_after` in seconds."""

    status: int
    message: str
    retry_after: int
    headers: RawHeaders


MAX_ACTIVE_READS = 64
"""
Reads that keep the process busy at once: each takes a millisecond or so, and whatever else is under way waits for all
of them again and again. As many as one key may have at once; half of all slots at most, the others are for writes.
"""


class Priority(Enum):
    """Which requests are refused first where there are too many."""

    READ = 1
    WRITE = 2
    MONITORING = 3
    """Refused for its rate alone: who watches over the connector has to see that there is too much to do."""


class _Bucket:
    __slots__ = ("at", "left", "running")

    def __init__(self, left: float, at: float) -> None:
        self.left, self.at, self.running = left, at, 0


class _BucketGroup:
    """The callers of one kind, keys or addresses: what each has left, and how many of its requests are under way."""

    def __init__(self, name: str, rate: Rate | None, parallel: int) -> None:
        self.name, self.parallel = name, parallel
        self._count = float(rate.count) if rate else math.inf
        self._fill = rate.count / rate.seconds if rate else math.inf
        self._policy = f'"{name}";q={rate.count};w={math.ceil(rate.seconds)}'.encode() if rate else b""
        self._callers: dict[Hashable, _Bucket] = {}

    def find(self, who: Hashable, now: float) -> _Bucket:
        caller = self._callers.get(who)
        if caller is None:
            if len(self._callers) >= _MOST_CALLERS:
                self._forget(now)
            caller = self._callers[who] = _Bucket(self._count, now)
        elif self._policy:
            caller.left = self._left(caller, now)
        caller.at = now
        return caller

    def _left(self, caller: _Bucket, now: float) -> float:
        return min(self._count, caller.left + (now - caller.at) * self._fill) if self._policy else self._count

    def _forget(self, now: float) -> None:
        idle = [
            (self._left(caller, now) < self._count, caller.at, number, who)
            for number, (who, caller) in enumerate(self._callers.items())
            if not caller.running
        ]
        for *_, who in nsmallest(_FORGOTTEN, idle):
            del self._callers[who]

    def until_one(self, caller: _Bucket) -> float:
        """Seconds."""
        return max(0.0, (1.0 - caller.left) / self._fill)

    def fields(self, caller: _Bucket) -> RawHeaders:
        if not self._policy:
            return []
        whole = max(0, int(caller.left))
        until_full = math.ceil((self._count - caller.left) / self._fill)
        told = f'"{self.name}";r={whole};t={until_full}'.encode()
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", told)]


class RequestSlot:
    """One request under way, and the RateLimit fields of its answer. In its context the request only waits."""

    __slots__ = ("_turnstile", "buckets", "headers", "reads")

    def __init__(self, turnstile: RateLimiter, reads: int) -> None:
        self._turnstile = turnstile
        self.reads = reads
        """1 for a read, else 0."""
        self.buckets: list[_Bucket] = []
        self.headers: RawHeaders = []

    def __enter__(self) -> None:
        self._turnstile.active_reads -= self.reads

    def __exit__(self, *_: object) -> None:
        self._turnstile.active_reads += self.reads


class RateLimiter:
    """`clock` in seconds, and never goes back."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._exempt = limits.exempt
        self._keys = _BucketGroup("key", limits.key, limits.parallel)
        self._addresses = _BucketGroup("address", limits.address, limits.parallel)
        self._total = limits.parallel_total
        self.in_flight = 0
        """Requests under way."""
        self.active_reads = 0
        """Of them, reads that wait neither for PlanSo nor until their answer is taken."""
        self.max_active_reads = min(MAX_ACTIVE_READS, max(1, limits.parallel_total // 2))
        self._known: dict[str, Hashable] = {}

    def acquire(
        self, scope: Scope, headers: Mapping[bytes, bytes], priority: Priority = Priority.READ
    ) -> RequestSlot | Refusal:
        """
        A turn is to be given back with `leave`. `most_reads` is not looked at here: a caller that asks for too much
        is told that first.
        """
        if priority is Priority.WRITE and self.in_flight >= self._total:
            return Refusal(503, f"The connector is full: {self._total} requests are under way.", 1, [])
        turn = RequestSlot(self, int(priority is Priority.READ))
        asked = [(kind, who) for kind, who in self._who(scope, headers) if who is not None]
        if asked:
            refused = self._take(turn, asked)
            if refused is not None:
                return refused
        self.in_flight += 1
        self.active_reads += turn.reads
        return turn

    def release(self, turn: RequestSlot) -> None:
        self.in_flight -= 1
        self.active_reads -= turn.reads
        for caller in turn.buckets:
            caller.running -= 1

    def _take(self, turn: RequestSlot, asked: list[tuple[_BucketGroup, Hashable]]) -> Refusal | None:
        now = self._clock()
        found: list[tuple[_BucketGroup, _Bucket]] = []
        for kind, who in asked:
            caller = kind.find(who, now)
            found.append((kind, caller))
            if caller.left < 1.0:
                seconds = math.ceil(kind.until_one(caller))
                told = f"Too many requests of this {kind.name}; there is room again in {seconds} s."
                return Refusal(429, told, seconds, kind.fields(caller))
            if caller.running >= kind.parallel:
                told = f"Too many requests of this {kind.name} at once; accepted: {kind.parallel}."
                return Refusal(429, told, 1, kind.fields(caller))
        for kind, caller in found:
            caller.left -= 1.0
            caller.running += 1
            turn.buckets.append(caller)
            turn.headers += kind.fields(caller)
        return None

    def _who(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[tuple[_BucketGroup, Hashable], ...]:
        """
        Of whom the request is. What is kept of a key is a salted hash; two different ones the guard refuses. The
        address comes first: one that is refused leaves nothing of the keys that it invents.
        """
        of_address = (self._addresses, self._address(scope, headers))
        keys = extract_api_keys(headers.items())
        return (of_address, (self._keys, hash(min(keys)))) if keys else (of_address,)

    def _address(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Hashable:
        """
        None for an exempt one. A network of IPv6 is one caller: each customer of a provider has at least so much.
        What a proxy passes on that nobody configured comes from somewhere else: it is not exempt.
        """
        client = scope.get("client")
        text: str = client[0] if client else ""
        if len(text) > _LONGEST_ADDRESS:  # what a proxy passes on may be a whole head long
            return _UNKNOWN
        known = self._known.get(text, text)
        if known is text:
            if len(self._known) >= _MOST_CALLERS:
                self._known.clear()
            known = self._known[text] = _grouped(text, self._exempt)
        return text if known is None and b"x-forwarded-for" in headers else known


def _grouped(text: str, exempt: tuple[Network, ...]) -> Hashable:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _UNKNOWN
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in exempt):
        return None
    if address.version == 6:
        return (6, int(address) >> 64)
    return (4, int(address))
