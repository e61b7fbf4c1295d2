"""Send one event to one receiver, signed as the Standard Webhooks specification has it."""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx2
from standardwebhooks.webhooks import Webhook as Signer

from planso_connector.webhooks.destination import DestinationRefused, Network, check_url, resolve

TIMEOUT = 15.0
"""Seconds for a request and its response, resolving the name included."""
MAX_RESPONSE = 1024
"""Bytes that are read of a response."""
MAX_CLIENTS = 200
"""Hosts to which connections are kept."""
CONNECTIONS = 16
"""Connections to one host."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """
    `status` is None without a response; `outcome` says in words what happened. `is_gone`: the receiver wants no more
    (410). `retry_after`: as it asked.
    """

    status: int | None
    outcome: str
    response: str
    milliseconds: int
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410


class WebhookSender:
    """`networks`: receivers in these may be called, too, and without TLS."""

    def __init__(self, networks: Sequence[Network], timeout: float = TIMEOUT) -> None:
        self._networks = networks
        self._timeout = timeout
        self._clients: OrderedDict[str, httpx2.AsyncClient] = OrderedDict()
        self._tls: ssl.SSLContext | None = None

    def check(self, url: str) -> None:
        """Raises DestinationRefused."""
        check_url(url, self._networks)

    async def send(self, url: str, secrets: Sequence[str], event_id: str, body: str, now: datetime) -> SendResult:
        """Send `body`, JSON, signed by each secret. Never raises for what the receiver or the network does."""
        started = time.monotonic()
        headers = sign(secrets, event_id, body, now)
        try:
            async with asyncio.timeout(self._timeout):
                result = await self._post(url, headers, body)
        except TimeoutError:
            result = SendResult(None, f"no response within {self._timeout:g} s", "", 0)
        except DestinationRefused as error:
            result = SendResult(None, f"not sent: {error}", "", 0)
        except (httpx2.HTTPError, OSError, ssl.SSLError, UnicodeError) as error:
            result = SendResult(None, f"{type(error).__name__}: {error}"[:300], "", 0)
        took = round((time.monotonic() - started) * 1000)
        return SendResult(result.status, result.outcome, result.response, took, result.retry_after)

    async def _post(self, url: str, headers: dict[str, str], body: str) -> SendResult:
        check_url(url, self._networks)
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = await resolve(host, parts.port or (443 if parts.scheme == "https" else 80), self._networks)
        # Connected to is the address that was checked: the name may resolve to another one a moment later.
        target = httpx2.URL(url).copy_with(host=address)
        client = self._get_client(f"{parts.scheme}://{host}")
        await self._close_unused()
        request = client.build_request("POST", target, content=body.encode(), headers={**headers, "Host": parts.netloc})
        request.extensions["sni_hostname"] = host
        response = await client.send(request, stream=True)
        try:
            text = await _read_start(response)
        finally:
            await response.aclose()
        outcome = "delivered" if response.is_success else f"HTTP status {response.status_code}"
        if response.is_redirect:
            outcome += ", a redirect, which is not followed"
        return SendResult(response.status_code, outcome, text, 0, _parse_retry_after(response))

    def _get_client(self, host: str) -> httpx2.AsyncClient:
        """One for each name: connections are shared by address, and TLS is checked for one name."""
        client = self._clients.get(host)
        if client is None:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
            client = httpx2.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout, limits=limits)
            self._clients[host] = client
        self._clients.move_to_end(host)
        return client

    async def _close_unused(self) -> None:
        """Close connections to the hosts that were not called for longest."""
        while len(self._clients) > MAX_CLIENTS:
            await self._clients.popitem(last=False)[1].aclose()

    async def close(self) -> None:
        while self._clients:
            await self._clients.popitem()[1].aclose()


def sign(secrets: Sequence[str], event_id: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of a request; `secrets` are `whsec_...`."""
    now = now.astimezone(UTC)  # the library signs the clock's digits as if they were UTC
    signatures = " ".join(Signer(secret).sign(event_id, now, body) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "planso-connector",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures,
    }


async def _read_start(response: httpx2.Response) -> str:
    """The first MAX_RESPONSE bytes, whatever their encoding."""
    content = b""
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) >= MAX_RESPONSE:
            break
    return content[:MAX_RESPONSE].decode("utf-8", "replace")


def _parse_retry_after(response: httpx2.Response) -> timedelta | None:
    """In seconds; dates are left to the schedule."""
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
