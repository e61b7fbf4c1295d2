"""The response of GET /api/orders/{order_id}/timeline."""

from typing import Any

from pydantic import BaseModel, Field

from planso_connector.domain.clock import format_instant
from planso_connector.domain.language import Language
from planso_connector.domain.timeline.timeline import (
    EVIDENCE_TEXTS,
    Evidence,
    GapKind,
    Timeline,
    TimelineEntry,
    TimelineGap,
)
from planso_connector.rest.schemas.examples import described
from planso_connector.rest.schemas.responses import ID_BOUNDS, Envelope


class TimelineEntryAnswer(BaseModel):
    """Something that happened, or is planned."""

    date: str = described("The day, or day and time of the workshop's clock. ISO 8601.", "2026-12-08")
    what: str = described(
        "What, for programs: a field's name, `arrived`, `parts_ordered`, `parts_delivered`, `parts_expected`, or "
        "`changed.` and what changed.",
        "shop_date",
    )
    text: str = described("What, in words.", "Beginn der Arbeiten")
    evidence: Evidence = described(
        "How it is known. `observed`: the connector saw the change in PlanSo, at the latest then; `written`: the "
        "connector made it, and PlanSo has it; `entered`: a date up to today that stands in PlanSo, not seen to "
        "happen; `planned`: a date ahead that stands in PlanSo.",
        "entered",
    )
    known_by: str = described("The same in words.", "in PlanSo eingetragen, nicht beobachtet")
    source: str = described("PlanSo's label, or `parts`; empty for none.", "Werkstattstart")
    by: str = described("The API key of a written change; empty for others.", "")


class TimelineGapAnswer(BaseModel):
    """Something that is not known."""

    kind: GapKind = described(
        "`no_date`: a step of a repair has no date; `nothing_recorded`: days in the workshop without an entry; "
        "`not_observed`: changes before that day are not known; `cut`: there are more changes; `parts_not_read`.",
        "nothing_recorded",
    )
    what: str = described("With `no_date`: the step; else empty.", "")
    begins: str | None = described("The first day.", "2026-12-09")
    ends: str | None = described("The last day.", "2026-12-11")
    text: str = described(
        "What, in words.", "Vom 09.12.2026 bis 11.12.2026 ist nichts festgehalten: 3 Tage von Montag bis Freitag."
    )


class TimelineMembers(BaseModel):
    """The timeline of an order, as far as it is known."""

    order_id: int = described("The order.", 130, **ID_BOUNDS)
    plate: str | None = described("Number plate.", "WN-AE 2309")
    vehicle: str | None = described("Vehicle.", "VW Golf")
    vin: str | None = described("Vehicle identification number.", "WVWZZZ1KZAW123456")
    person: str | None = described("Customer or driver.", "Jana Petersen")
    made_at: str = described("When the timeline was made. UTC.", "2026-12-14T09:41:00.118000Z")
    observed_since: str | None = described(
        "Since when changes are known; null where nobody knows. UTC.", "2026-11-23T09:40:12.507000Z"
    )
    entries: list[TimelineEntryAnswer] = Field(description="What happened, oldest first.")
    gaps: list[TimelineGapAnswer] = Field(description="What is not known.")
    language: Language = described("Language of the texts.", "de")


class TimelineAnswer(Envelope):
    """A repair timeline."""

    timeline: TimelineMembers = Field(description="The timeline.")


def serialize_timeline(timeline: Timeline, language: Language) -> dict[str, Any]:
    since = timeline.observed_since
    return {
        "order_id": timeline.order_id,
        "plate": timeline.plate,
        "vehicle": timeline.vehicle,
        "vin": timeline.vin,
        "person": timeline.person,
        "made_at": format_instant(timeline.made_at),
        "observed_since": format_instant(since) if since is not None else None,
        "entries": [_serialize_entry(entry, language) for entry in timeline.entries],
        "gaps": [_serialize_gap(gap, language) for gap in timeline.gaps],
        "language": language,
    }


def _serialize_entry(entry: TimelineEntry, language: Language) -> dict[str, Any]:
    return {
        "date": entry.moment.canonical,
        "what": entry.what,
        "text": entry.text.in_language(language),
        "evidence": entry.evidence.value,
        "known_by": EVIDENCE_TEXTS[entry.evidence].in_language(language),
        "source": entry.source,
        "by": entry.by,
    }


def _serialize_gap(gap: TimelineGap, language: Language) -> dict[str, Any]:
    return {
        "kind": gap.kind.value,
        "what": gap.what,
        "begins": gap.begins.isoformat() if gap.begins is not None else None,
        "ends": gap.ends.isoformat() if gap.ends is not None else None,
        "text": gap.text.in_language(language),
    }
