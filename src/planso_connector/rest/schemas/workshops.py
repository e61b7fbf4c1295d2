"""Requests and responses of /api/workshops."""

from collections.abc import Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from planso_connector.domain import values
from planso_connector.domain.workshop import MAX_NAME_LENGTH, MAX_PROFILE_LENGTH, SettingValue
from planso_connector.flows.operating.workshop_overview import Fault, FaultKind, WorkshopStatus
from planso_connector.flows.operating.workshops import NewWorkshop, WorkshopChanges
from planso_connector.rest.schemas.examples import described
from planso_connector.rest.schemas.responses import Envelope

_PASSWORD = "Password for PlanSo. It is stored encrypted, and no answer ever shows it."  # noqa: S105

Url = Annotated[
    str,
    described(
        "Address of the workshop's PlanSo, `https://<customer>.planso.de`.", "https://reit.planso.de", max_length=500
    ),
]
User = Annotated[str, described("User name for PlanSo.", "connector", max_length=200)]
TableId = Annotated[
    int | None, described("`tableID` of the order form; null: the profile's.", 12565, ge=1, le=values.MAX_ID)
]
_PROFILE_OPTIONS: dict[str, Any] = {
    "description": "The text of a profile (TOML); empty for the built-in one.",
    "examples": ['[labels]\nperson = "Halter"\n'],
    "max_length": MAX_PROFILE_LENGTH,
}
_SETTINGS_OPTIONS: dict[str, Any] = {
    "description": "The workshop's own values of settings, by name; for all others those of the process apply.",
    "examples": [{"CONNECTOR_SYNC_HOURS": "Mo-Fr 06:00-20:00"}],
    "max_length": 100,
}


class CreateWorkshop(BaseModel):
    """A workshop to register."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody

    name: str = described(
        "Its name for ever: 1 to 63 of a-z, 0-9 and -, as the first label of a host name.",
        "reit",
        max_length=MAX_NAME_LENGTH,
    )
    planso_url: Url
    planso_user: User
    password: SecretStr = Field(
        description=_PASSWORD, examples=["secret"], max_length=500, json_schema_extra={"writeOnly": True}
    )
    table_id: TableId = None
    profile: str = Field("", **_PROFILE_OPTIONS)
    settings: dict[str, SettingValue] = Field({}, **_SETTINGS_OPTIONS)

    def to_new_workshop(self) -> NewWorkshop:
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "password"}
        return NewWorkshop(password=self.password.get_secret_value(), **given)


class ChangeWorkshop(BaseModel):
    """A merge patch (RFC 7396): absent members stay, null clears a table id, a profile or a setting."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody

    planso_url: Url = ""
    planso_user: User = ""
    password: SecretStr = Field(
        SecretStr(""),
        description=f"{_PASSWORD} Required with another `planso_url`.",
        examples=["secret"],
        max_length=500,
        json_schema_extra={"writeOnly": True},
    )
    table_id: TableId = None
    profile: str | None = Field(None, **_PROFILE_OPTIONS)
    settings: dict[str, SettingValue | None] | None = Field(None, **_SETTINGS_OPTIONS)

    def to_changes(self) -> WorkshopChanges:
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "password" in changes:
            changes["password"] = self.password.get_secret_value()
        if "profile" in changes:
            changes["profile"] = self.profile or ""
        return cast("WorkshopChanges", changes)  # the names are those of the model


class FaultAnswer(BaseModel):
    """What keeps the workshop from working."""

    kind: FaultKind = described("Which fault, for programs.", "login_rejected")
    message: str = described(
        "What it is, for a person.", "PlanSo rejected the user name or the password; it is not tried again."
    )
    since: str | None = described("Since when, if that is known. UTC.", "2026-11-23T09:41:02.118000Z")


class WorkshopAnswer(BaseModel):
    """A workshop and its state; never its password."""

    name: str = described("Its name.", "reit")
    planso_url: str = described("Address of its PlanSo.", "https://reit.planso.de")
    planso_user: str = described("User name for PlanSo.", "connector")
    table_id: int | None = described("`tableID` of the order form; null: the profile's.", 12565)
    profile: str = described("The text of its profile; empty for the built-in one.", "")
    settings: dict[str, SettingValue] = described(
        "Its own values of settings.", {"CONNECTOR_SYNC_HOURS": "Mo-Fr 06:00-20:00"}
    )
    is_default: bool = described(
        "Whether it is the workshop of the environment, which is not in the registry and can't be changed here.", False
    )
    state: str = described("`active` or `paused`.", "active")
    paused_at: str | None = described("Since when it is paused. UTC.", None)
    created_at: str | None = described(
        "When it was registered; null for the default one. UTC.", "2026-11-20T08:00:00.000000Z"
    )
    changed_at: str | None = described("When it was last changed. UTC.", "2026-11-20T08:00:00.000000Z")
    pending: int = described("Writes that are accepted and not settled.", 0)
    oldest_pending_at: str | None = described("When the oldest of these was accepted. UTC.", None)
    synced_at: str | None = described("When the last successful sync ended. UTC.", "2026-11-23T09:40:12.400000Z")
    sync_age: float | None = described("Seconds since then.", 50.2)
    fault: FaultAnswer | None = Field(description="What keeps it from working; null if nothing does.")


class WorkshopResponse(Envelope):
    """One workshop."""

    workshop: WorkshopAnswer = Field(description="The workshop, with its state.")


class WorkshopsResponse(Envelope):
    """A page of workshops."""

    workshops: list[WorkshopAnswer] = Field(description="The workshops, by name.")
    count: int = described("Workshops in this answer.", 1)
    next_cursor: str | None = described("For the next page; null on the last one.", None)


class RemovedWorkshop(Envelope):
    """A workshop was removed."""

    name: str = described("Its name.", "reit")
    discarded_writes: int = described("Pending writes that were discarded with it.", 0)


def serialize_workshop(status: WorkshopStatus) -> dict[str, Any]:
    workshop, state = status.workshop, status.state
    return {
        "name": workshop.name,
        "planso_url": workshop.planso_url,
        "planso_user": workshop.planso_user,
        "table_id": workshop.table_id,
        "profile": workshop.profile,
        "settings": dict(workshop.settings),
        "is_default": status.is_default,
        "state": "paused" if workshop.is_paused else "active",
        "paused_at": workshop.paused_at,
        "created_at": None if status.is_default else workshop.created_at,
        "changed_at": None if status.is_default else workshop.changed_at,
        "pending": state.pending,
        "oldest_pending_at": state.oldest_pending_at,
        "synced_at": state.synced_at,
        "sync_age": None if status.sync_age is None else round(status.sync_age, 1),
        "fault": _serialize_fault(status.fault),
    }


def serialize_workshops(statuses: Sequence[WorkshopStatus]) -> list[dict[str, Any]]:
    return list(map(serialize_workshop, statuses))


def _serialize_fault(fault: Fault | None) -> dict[str, Any] | None:
    return None if fault is None else {"kind": fault.kind.value, "message": fault.message, "since": fault.since}
