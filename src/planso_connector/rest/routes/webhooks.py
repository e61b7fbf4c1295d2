"""/api/webhooks: the receivers of events, their secrets, and what came of deliveries."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import AfterValidator

from planso_connector.domain.clock import Instant, parse_sent_instant
from planso_connector.domain.errors import Problem
from planso_connector.rest.json_body import JsonRoute, MergePatchRoute
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import Responses, build_example, build_examples, document_success
from planso_connector.rest.schemas.webhooks import (
    AttemptResponse,
    AttemptsResponse,
    ChangeWebhook,
    CreateWebhook,
    ExpungedResponse,
    RemovedWebhook,
    WebhookResponse,
    WebhookSecretResponse,
    WebhooksResponse,
    serialize_attempt,
    serialize_webhook,
)
from planso_connector.store.webhooks import Webhook

_PREFIX, _TAG = "/api/webhooks", "webhooks"
_NO_WEBHOOK = {404: {"no_such_webhook": "There is no webhook webhook_5f0c2b9e41d7a638."}}
_TOO_MANY = {409: {"too_many": "There are 50 webhooks already; accepted: up to 50."}}
_EXAMPLE_EVENT = {
    409: {"an_example": "The event of attempt att_5f0c2b9e41d7a6380c1e is an example, or not kept any more."}
}
_NOT_PUBLIC = Problem(
    ("body", "url"),
    "10.0.0.7 is not a public address; accepted: public ones, and those in CONNECTOR_WEBHOOK_NETWORKS",
    "webhook_url",
)
_INVALID_ID = Problem(("path", "webhook_id"), "must have at most 100 characters", "string_too_long")
_INVALID_LIMIT = Problem(("query", "limit"), "must be 500 or less", "less_than_equal")
_NEW = build_examples(
    one_type={"url": "https://example.org/planso", "types": ["order.updated"]},
    all_with_fields={"url": "https://example.org/planso", "fields": True},
)
_CHANGES = build_examples(switched_on={"enabled": True}, other_types={"types": ["order.created", "order.updated"]})

WebhookId = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The webhook's id.",
        examples=["webhook_5f0c2b9e41d7a638"],
    ),
]
AttemptId = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The attempt's id.",
        examples=["att_5f0c2b9e41d7a6380c1e"],
    ),
]


def routes() -> list[APIRouter]:
    read_router, router = make_router(_PREFIX, _TAG), make_router(_PREFIX, _TAG, JsonRoute)
    patch_router = make_router(_PREFIX, _TAG, MergePatchRoute)
    _add_reads(read_router)
    _add_create_and_removal(router)
    _add_change(patch_router)
    _add_secret(router)
    _add_deliveries(router)
    return [read_router, router, patch_router]


def _failures(*statuses: int, invalid: Problem = _INVALID_ID) -> Responses:
    return document_failures(404, 422, 503, *statuses, invalid=invalid, shown=_NO_WEBHOOK)


def _response(webhook: Webhook, message: str = "") -> Response:
    return success_response(message, webhook=serialize_webhook(webhook))


def _add_reads(router: APIRouter) -> None:
    @router.get(
        "",
        summary="List webhooks",
        response_model=WebhooksResponse,
        response_description="The receivers",
        responses=document_success(webhooks=build_example(WebhooksResponse)) | document_failures(503),
    )
    async def list_webhooks(flows: Flows) -> Response:
        """The workshop's receivers, with how they do."""
        listed = [serialize_webhook(webhook) for webhook in await flows.webhooks.list()]
        return success_response(webhooks=listed, count=len(listed))

    @router.get(
        "/{webhook_id}",
        summary="Get webhook",
        response_model=WebhookResponse,
        response_description="The receiver",
        responses=document_success(webhook=build_example(WebhookResponse)) | _failures(),
    )
    async def get_webhook(flows: Flows, webhook_id: WebhookId) -> Response:
        """One receiver; its secret is not shown again."""
        return _response(await flows.webhooks.get(webhook_id))

    @router.get(
        "/{webhook_id}/attempts",
        summary="List attempts",
        response_model=AttemptsResponse,
        response_description="The attempts",
        responses=document_success(attempts=build_example(AttemptsResponse)) | _failures(invalid=_INVALID_LIMIT),
    )
    async def list_webhook_attempts(
        flows: Flows,
        webhook_id: WebhookId,
        limit: Annotated[int, Query(ge=1, le=500, description="Attempts in one answer.")] = 50,
    ) -> Response:
        """What came of each request to the receiver, the last one first."""
        listed = [serialize_attempt(one) for one in await flows.webhooks.list_attempts(webhook_id, limit)]
        return success_response(attempts=listed, count=len(listed))


def _add_create_and_removal(router: APIRouter) -> None:
    @router.post(
        "",
        summary="Create webhook",
        response_model=WebhookSecretResponse,
        response_description="The receiver, with its secret",
        responses=document_success(created=build_example(WebhookSecretResponse))
        | document_failures(409, 413, 415, 422, 503, invalid=_NOT_PUBLIC, shown=_TOO_MANY),
    )
    async def create_webhook(flows: Flows, body: Annotated[CreateWebhook, Body(openapi_examples=_NEW)]) -> Response:
        """
        The receiver gets the events from now on, signed as the Standard Webhooks specification has it. The secret is
        shown in this answer alone.
        """
        webhook = await flows.webhooks.create(body.url, body.types, has_fields=body.fields)
        return success_response(webhook=serialize_webhook(webhook), secret=webhook.secret)

    @router.delete(
        "/{webhook_id}",
        summary="Remove webhook",
        response_model=RemovedWebhook,
        response_description="It is removed",
        responses=document_success(removed=build_example(RemovedWebhook)) | _failures(),
    )
    async def remove_webhook(flows: Flows, webhook_id: WebhookId) -> Response:
        """With its attempts, and what it did not take yet."""
        await flows.webhooks.remove(webhook_id)
        return success_response(id=webhook_id)


def _add_change(router: APIRouter) -> None:
    @router.patch(
        "/{webhook_id}",
        summary="Change webhook",
        response_model=WebhookResponse,
        response_description="The receiver",
        responses=document_success(changed=build_example(WebhookResponse)) | _failures(413, 415, invalid=_NOT_PUBLIC),
    )
    async def change_webhook(
        flows: Flows, webhook_id: WebhookId, body: Annotated[ChangeWebhook, Body(openapi_examples=_CHANGES)]
    ) -> Response:
        """Absent members stay. `enabled` switches on what was switched off after failing for five days."""
        return _response(await flows.webhooks.change(webhook_id, **body.to_changes()))


def _add_secret(router: APIRouter) -> None:
    @router.post(
        "/{webhook_id}/secret/rotate",
        summary="Rotate the secret",
        response_model=WebhookSecretResponse,
        response_description="The receiver, with its new secret",
        responses=document_success(rotated=build_example(WebhookSecretResponse)) | _failures(),
    )
    async def rotate_webhook_secret(flows: Flows, webhook_id: WebhookId) -> Response:
        """For 24 hours requests are signed by the former secret, too."""
        webhook = await flows.webhooks.rotate(webhook_id)
        return success_response(webhook=serialize_webhook(webhook), secret=webhook.secret)

    @router.post(
        "/{webhook_id}/expunge",
        summary="Expunge responses",
        response_model=ExpungedResponse,
        response_description="Of how many attempts",
        responses=document_success(expunged=build_example(ExpungedResponse)) | _failures(),
    )
    async def expunge_webhook_attempts(flows: Flows, webhook_id: WebhookId) -> Response:
        """Empty what the attempts keep of the receiver's responses."""
        return success_response(expunged=await flows.webhooks.expunge(webhook_id))


def _add_deliveries(router: APIRouter) -> None:
    @router.post(
        "/{webhook_id}/send-example",
        summary="Send an example",
        response_model=AttemptResponse,
        response_description="What came of it",
        responses=document_success(sent=build_example(AttemptResponse)) | _failures(),
    )
    async def send_webhook_example(flows: Flows, webhook_id: WebhookId) -> Response:
        """Send an example event at once, signed like others; `data.example` is true."""
        attempt = await flows.webhooks.send_example(webhook_id)
        return success_response(attempt=serialize_attempt(attempt))

    @router.post(
        "/{webhook_id}/recover",
        summary="Deliver again since",
        response_model=WebhookResponse,
        response_description="The receiver",
        responses=document_success(recovering=build_example(WebhookResponse)) | _failures(),
    )
    async def recover_webhook(
        flows: Flows,
        webhook_id: WebhookId,
        since: Annotated[
            str,
            AfterValidator(parse_sent_instant),
            Query(
                max_length=40,
                description="ISO 8601 with an offset: events from then on.",
                examples=["2026-11-23T08:00:00Z"],
            ),
        ],
    ) -> Response:
        """All events since then are delivered once more, in their order, as far as they are kept."""
        await flows.webhooks.recover(webhook_id, Instant(since))
        return _response(await flows.webhooks.get(webhook_id))

    @router.post(
        "/{webhook_id}/attempts/{attempt_id}/resend",
        summary="Resend an event",
        response_model=WebhookResponse,
        response_description="The receiver",
        responses=document_success(resending=build_example(WebhookResponse))
        | document_failures(404, 409, 422, 503, invalid=_INVALID_ID, shown=_NO_WEBHOOK | _EXAMPLE_EVENT),
    )
    async def resend_webhook_event(flows: Flows, webhook_id: WebhookId, attempt_id: AttemptId) -> Response:
        """The attempt's event is delivered once more; what came of it is a new attempt."""
        await flows.webhooks.resend(webhook_id, attempt_id)
        return _response(await flows.webhooks.get(webhook_id))
