"""Requests and responses of /api/webhooks."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from planso_connector.domain.events import EventType
from planso_connector.rest.schemas.examples import described
from planso_connector.rest.schemas.responses import Envelope
from planso_connector.store.webhooks import Attempt, Webhook

_URL_EXAMPLE = "https://example.org/planso"
_URL = "Where events are sent: `https://...`, at a public address or in `CONNECTOR_WEBHOOK_NETWORKS`."
_TYPES: dict[str, Any] = {
    "description": "Types of events; empty for all.",
    "examples": [[EventType.ORDER_UPDATED]],
    "max_length": len(EventType),
}
_FIELDS = (
    "Whether events have `before` and `after`. Without, the receiver reads the order, and the access log has that."
)


class CreateWebhook(BaseModel):
    """A receiver of events."""

    model_config = ConfigDict(extra="forbid", defer_build=False)  # as WriteBody

    url: str = described(_URL, _URL_EXAMPLE, max_length=2000)
    types: list[EventType] = Field([], **_TYPES)
    fields: bool = described(_FIELDS, False, default=False, strict=True)


class ChangeWebhook(BaseModel):
    """A merge patch (RFC 7396): absent members stay."""

    model_config = ConfigDict(extra="forbid", defer_build=False)  # as WriteBody

    url: str = described(_URL, _URL_EXAMPLE, default="", max_length=2000)
    types: list[EventType] = Field([], **_TYPES)
    fields: bool = described(_FIELDS, False, default=False, strict=True)
    enabled: bool = described("Switched on again, it goes on where it ended.", True, default=True, strict=True)

    def to_changes(self) -> dict[str, Any]:
        """The members that were sent, as `WebhookReceivers.change` names them."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        if "fields" in sent:
            sent["has_fields"] = sent.pop("fields")
        return sent


class WebhookAnswer(BaseModel):
    """A receiver of events, and how it does; never its secret."""

    id: str = described("Its id.", "webhook_5f0c2b9e41d7a638")
    url: str = described("Where events are sent.", _URL_EXAMPLE)
    types: list[str] = described("Types of events; empty for all.", [EventType.ORDER_UPDATED])
    fields: bool = described(_FIELDS, False)
    enabled: bool = described("Whether it is switched on.", True)
    disabled_reason: str = described("Why it is switched off; empty while it is on.", "")
    created_at: str = described("When it was created. UTC.", "2026-11-20T08:00:00.000000Z")
    delivered_at: str | None = described("When it last took an event. UTC.", "2026-11-23T09:41:03.118000Z")
    failing_since: str | None = described("When it began to fail; null while it takes events. UTC.", None)


class WebhookResponse(Envelope):
    """A receiver."""

    webhook: WebhookAnswer = Field(description="The receiver.")


class WebhookSecretResponse(WebhookResponse):
    """A receiver, with its secret: it is shown this once."""

    secret: str = described("Signs its requests; keep it.", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")


class WebhooksResponse(Envelope):
    """The workshop's receivers."""

    webhooks: list[WebhookAnswer] = Field(description="The oldest first.")
    count: int = described("Receivers in this answer.", 1)


class RemovedWebhook(Envelope):
    """It is gone."""

    id: str = described("Its id.", "webhook_5f0c2b9e41d7a638")


class AttemptAnswer(BaseModel):
    """An attempt to deliver an event."""

    id: str = described("Its id.", "att_5f0c2b9e41d7a6380c1e")
    event: str = described("The event, `webhook-id` of the request.", "evt_5f0c2b9e41d7a6380c1e")
    type: str = described("The event's type.", EventType.ORDER_UPDATED)
    order_id: int | None = described("The event's order; null where it has none.", 130)
    at: str = described("When it was sent. UTC.", "2026-11-23T09:41:03.118000Z")
    status: int | None = described("HTTP status; null without a response.", 204)
    outcome: str = described("What happened, in words.", "delivered")
    milliseconds: int = described("How long it took.", 48)
    response: str = described("The first kilobyte of the response.", "")


class AttemptResponse(Envelope):
    """An attempt."""

    attempt: AttemptAnswer = Field(description="What came of it.")


class AttemptsResponse(Envelope):
    """Attempts to deliver events to a receiver."""

    attempts: list[AttemptAnswer] = Field(description="The last one first.")
    count: int = described("Attempts in this answer.", 1)


class ExpungedResponse(Envelope):
    """What the attempts keep of responses was emptied."""

    expunged: int = described("Of how many attempts.", 12)


def serialize_webhook(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": webhook.types,
        "fields": webhook.has_fields,
        "enabled": webhook.disabled_at is None,
        "disabled_reason": webhook.disabled_reason,
        "created_at": webhook.created_at,
        "delivered_at": webhook.delivered_at,
        "failing_since": webhook.failing_since,
    }


def serialize_attempt(attempt: Attempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in AttemptAnswer.model_fields}
