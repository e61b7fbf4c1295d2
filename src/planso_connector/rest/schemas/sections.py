"""The responses of an order's sections: the other tabs of the order in PlanSo."""

from pydantic import BaseModel, Field

from planso_connector.rest.schemas.examples import described
from planso_connector.rest.schemas.responses import Envelope

_SECTION_NAME = described("The tab's name, as the address has it.", "stamped_timings")
_READ = described("When PlanSo was last seen to show this. UTC.", "2026-11-23T09:42:30.004000Z")


class SectionEntry(BaseModel):
    """A section that was read."""

    name: str = _SECTION_NAME
    last_synced_at: str = _READ


class SectionsAnswer(Envelope):
    """The sections of an order that were read."""

    sections: list[SectionEntry] = Field(description="The sections, by name.")
    count: int = described("Sections in this answer.", 1)


class SectionTable(BaseModel):
    """A table of the tab, as text."""

    headers: list[str] = described(
        "The texts of the header row; empty where there is none.", ["Mitarbeiter", "Tätigkeit", "Von", "Bis"]
    )
    rows: list[list[str]] = described(
        "The texts of the other rows, cell by cell.", [["M. Krause", "Stoßfänger demontieren", "08:05", "09:20"]]
    )


class SectionLink(BaseModel):
    """A link of the tab."""

    text: str = described("What the link says.", "Stempelzeiten drucken")
    href: str = described(
        "Where it leads: an http or https address, or one within PlanSo.", "/do?m=print_timings&ID=130"
    )


class Section(BaseModel):
    """One tab of the order in PlanSo."""

    name: str = _SECTION_NAME
    tables: list[SectionTable] = Field(description="The tables of the tab, as text.")
    pairs: dict[str, str] = described("Each label and its value.", {"Gestempelt gesamt": "1,25 Std."})
    links: list[SectionLink] = Field(description="The links of the tab.")


class SectionAnswer(Envelope):
    """One section of an order."""

    section: Section = Field(description="The tab as it was read.")
    last_synced_at: str = _READ
