"""What a run of `make cluster` prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.cluster.faults import Event
from tests.cluster.observers import Kind, Sample
from tests.cluster.timeline import find_outage, select, summarize
from tests.laws import BY_CONNECTOR, FINAL_STATES, Evidence
from tests.simulated_users import WRITTEN_FIELDS

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def print_events(events: Sequence[Event], samples: Sequence[Sample]) -> None:
    """Print a row for each fault and connector; seconds."""
    table = Table(
        "fault", "failover", "connector", "reads fail", "reads back after", "writes fail", "writes back after"
    )
    table.add_column("not ready")
    table.add_column("whole again")
    connectors = sorted({sample.connector for sample in samples})
    for event in events:
        for connector in connectors:
            read, write, ready = (find_outage(samples, kind, connector, event) for kind in ("read", "write", "ready"))
            cells = [str(connector + 1)]
            for outage in (read, write):
                cells += ["-", "-"] if outage is None else [f"{outage.failures} x", f"{outage.until - event.began:.1f}"]
            cells += ["-" if ready is None else f"{ready.since - event.began:.1f} to {ready.until - event.began:.1f}"]
            first = connector == connectors[0]
            name = f"{event.name} ({event.words})" if first else ""
            failover = f"{event.failover_seconds:.1f}" if first else ""
            table.add_row(name, failover, *cells, f"{event.ended - event.began:.0f}" if first else "")
    console.print(table)


def print_messages(samples: Sequence[Sample]) -> None:
    """Print each message of a failed request, with its number."""
    counts = Counter(
        (sample.kind, sample.status, summarize(sample.words)) for sample in samples if sample.failed and sample.words
    )
    table = Table("times", "request", "status", "message", title="messages of failed requests")
    for (kind, status, words), count in counts.most_common():
        table.add_row(str(count), kind, str(status), words)
    console.print(table)


def print_totals(samples: Sequence[Sample], evidence: Evidence | None) -> None:
    table = Table("result", "")
    accepted = sum(sample.kind == "write" and sample.status in (200, 202) for sample in samples)
    table.add_row("accepted writes", str(accepted))
    if evidence is not None:
        table.add_row("of these lost", str(count_lost(evidence)))
        table.add_row("of these doubled", str(count_doubled(evidence)))
        table.add_row("operations", _join(Counter(operation["state"] for operation in evidence.operations)))
        others = [operation for operation in evidence.operations if operation["state"] != "confirmed"]
        for words, count in Counter(summarize(operation["message"]) for operation in others).most_common():
            table.add_row("", f"{count} x {words}")
    kinds: tuple[Kind, ...] = ("write", "read", "ready", "live")
    for kind in kinds:
        found = [sample for connector in (0, 1) for sample in select(samples, kind, connector)]
        slowest = max((sample.ended - sample.began for sample in found), default=0.0)
        table.add_row(
            f"responses to {kind}", f"{_join(Counter(str(s.status) for s in found))}; slowest {slowest:.1f} s"
        )
    console.print(table)


def count_lost(evidence: Evidence) -> int:
    """Accepted writes that the database does not know, or that are not settled."""
    known = {operation["id"] for operation in evidence.operations if operation["state"] in FINAL_STATES}
    return sum(sent.status in (200, 202) and sent.operation not in known for sent in evidence.sent)


def count_doubled(evidence: Evidence) -> int:
    """Values that the connector wrote to PlanSo more than once; no caller writes a value twice."""
    labels = set(WRITTEN_FIELDS.values())
    written = Counter(
        (change["order_id"] if change["before"] else None, change["label"], change["after"])
        for change in evidence.changes
        if change["by"] == BY_CONNECTOR and change["label"] in labels
    )
    return sum(count - 1 for count in written.values())


def _join(counts: Counter[str]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items()))
