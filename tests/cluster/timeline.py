"""The laws about time: when reads and writes are back, and whether readiness and messages were true meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planso_connector.flows.operating.write_probe import DISK_FULL_FOR
from tests.cluster.faults import Event
from tests.cluster.observers import Kind, Sample
from tests.laws import BY_CONNECTOR, Evidence

RETURN_MARGIN = 12.0
"""
Seconds after the failover in which reads and writes have to be back: HAProxy looks every second, PgBouncer tries every
second, and a request that began before has CONNECTOR_DATABASE_TIMEOUT, 10 s.
"""
READINESS_LAG = 4.0
"""Seconds after which readiness has to say what reads or writes meet: its probe of writes is reused for up to 5 s."""
STILL = 1.0
"""Seconds after a response of readiness for which what failed before it has to fail still."""
PROMPT = 3.0
"""Seconds of a response without delay; a write waits up to 2 s for PlanSo."""
READY_WITHIN, LIVE_WITHIN = 5.0, 5.0
"""Seconds for a response; 2 s are promised for readiness, the rest allows for a busy machine."""
_ANSWERS: tuple[Kind, ...] = ("read", "write")
TRUE_WORDS = (
    "it can't be reached",
    "it is read-only, as a standby is",
    "it is shutting down or starting up",
    "has not answered",
    "took no write within",
    "the pooler before it gives no connection",
    "broke while it committed",
    "whether it took a write",
    "another transaction holds a lock",
    "a statement took too long",
    "it is overloaded, or has just stopped",
    "its disk is full",
    "it reports",
    "can't be read",
    "connections to the connector's database are in use",
)
"""What a response may say about a database that fails over. Not: a wrong password, no such database, damage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Failed samples of one kind at one connector. Seconds of `time.monotonic`; `until`: start of the first success."""

    kind: Kind
    connector: int
    since: float
    until: float
    failures: int

    @property
    def seconds(self) -> float:
        return self.until - self.since


def select(samples: Iterable[Sample], kind: Kind, connector: int) -> list[Sample]:
    """Return the samples of a kind at a connector, by their end."""
    found = [sample for sample in samples if (sample.kind, sample.connector) == (kind, connector)]
    return sorted(found, key=lambda sample: sample.ended)


def find_outage(samples: Sequence[Sample], kind: Kind, connector: int, event: Event) -> Outage | None:
    """Return the time from the first to the last failure of samples that began during the event; None: none failed."""
    during = [sample for sample in select(samples, kind, connector) if event.began <= sample.ended <= event.ended]
    failed = [sample for sample in during if sample.failed]
    if not failed:
        return None
    last = max(sample.began for sample in failed)
    later = [sample.began for sample in select(samples, kind, connector) if sample.succeeded and sample.began > last]
    until = min(later, default=float("inf"))
    return Outage(kind, connector, min(sample.began for sample in failed), until, len(failed))


def requests_are_answered_again(samples: Sequence[Sample], events: Sequence[Event]) -> None:
    """Reads and writes fail only from the fault to RETURN_MARGIN seconds after the database could be used again."""
    allowed = [(event.began - 1, event.usable_at + RETURN_MARGIN) for event in events]
    for sample in samples:
        if sample.kind in _ANSWERS and sample.failed:
            assert any(since <= sample.ended and sample.began <= until for since, until in allowed), sample
    for event in events:
        for connector in {sample.connector for sample in samples}:
            for kind in _ANSWERS:
                outage = find_outage(samples, kind, connector, event)
                assert outage is None or outage.until <= event.usable_at + RETURN_MARGIN, (event, outage)


def health_answers_in_time(samples: Sequence[Sample]) -> None:
    """/health/live is 200 and /health/ready answers, whatever the database does."""
    for sample in samples:
        if sample.kind in ("live", "ready"):
            limit = LIVE_WITHIN if sample.kind == "live" else READY_WITHIN
            assert sample.status in ((200,) if sample.kind == "live" else (200, 503)), sample
            assert sample.ended - sample.began < limit, sample


def readiness_is_true(samples: Sequence[Sample]) -> None:
    """
    Not ready where all reads or all writes have failed for READINESS_LAG seconds and still do; ready where for as long
    before and after all reads and writes have succeeded without delay.
    """
    for connector in {sample.connector for sample in samples}:
        answers = {kind: select(samples, kind, connector) for kind in _ANSWERS}
        for probe in select(samples, "ready", connector):
            before = [
                _overlapping(found, probe.began - READINESS_LAG, probe.ended + STILL) for found in answers.values()
            ]
            if any(len(found) > 1 and all(sample.failed for sample in found) for found in before):
                assert probe.status == 503, (probe, before)
            lag = DISK_FULL_FOR if "disk is full" in probe.words else READINESS_LAG
            around = [
                sample
                for found in answers.values()
                for sample in _overlapping(found, probe.began - lag, probe.ended + READINESS_LAG)
            ]
            if all(sample.ended - sample.began < PROMPT and not sample.failed for sample in around):
                assert probe.status == 200, (probe, around)


def _overlapping(samples: Sequence[Sample], since: float, until: float) -> list[Sample]:
    return [sample for sample in samples if sample.ended >= since and sample.began <= until]


def messages_are_true(samples: Sequence[Sample]) -> None:
    """What failed because of the database says so, in words that fit a failover or a full disk."""
    for sample in samples:
        if sample.failed and sample.kind in ("read", "write", "ready"):
            assert any(words in sample.words for words in TRUE_WORDS), sample


def refused_writes_changed_nothing(evidence: Evidence) -> None:
    """A write answered 503 that named no operation was not carried out, then or later."""
    written = {change["after"] for change in evidence.changes if change["by"] == BY_CONNECTOR}
    for sent in evidence.sent:
        if sent.status == 503 and sent.operation is None:
            assert written.isdisjoint(sent.write.fields.values()), sent


def summarize(words: str) -> str:
    """Return a message without addresses, numbers and ids, so that equal ones can be counted."""
    words = re.sub(r" \(PostgreSQL '[^)]*\)", "", words)
    words = re.sub(r"op_\w+", "op_...", words)
    words = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "...", words)
    return re.sub(r"\d+(\.\d+)?", "N", words)
