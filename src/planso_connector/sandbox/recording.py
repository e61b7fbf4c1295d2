"""Parse a browser's network log (HAR 1.2) into requests and responses."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

MAX_RECORDING_BYTES = 256 * 1024 * 1024


class RecordingError(Exception):
    """The recording can't be used; the message says why."""


@dataclass(frozen=True)
class RecordedExchange:
    """One request and its response. Header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content_type: str
    body: bytes
    cookies: Mapping[str, str]
    status: int
    text: str
    location: str

    @property
    def json(self) -> Any:
        """The response's JSON; None where it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def json_body(self) -> Any:
        """The request's JSON; None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def read_recording(path: Path) -> list[RecordedExchange]:
    """The requests in their order. Raises `RecordingError`."""
    try:
        if path.stat().st_size > MAX_RECORDING_BYTES:
            raise RecordingError(f"{path} is larger than 256 MB. Record again, with PlanSo's page alone.")
        log = json.loads(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise RecordingError(f"{path} is no HAR file, or cut off: it is not JSON.") from error
    entries = log.get("log", {}).get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise RecordingError(f"{path} is no HAR file: it has no log.entries.")
    return list(_exchanges(entries))


def _exchanges(entries: list[Any]) -> Iterator[RecordedExchange]:
    for entry in entries:
        try:
            yield _exchange(entry["request"], entry["response"])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # an entry of another kind, or a damaged one


def _exchange(request: Any, response: Any) -> RecordedExchange:
    address = urlsplit(request["url"])
    headers = {header["name"].lower(): header["value"] for header in request.get("headers", ())}
    content_type, body = _body(request.get("postData") or {}, headers.get("content-type", ""))
    content = response.get("content", {})
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        text = base64.b64decode(text).decode("utf-8", "replace")
    answer_headers = {header["name"].lower(): header["value"] for header in response.get("headers", ())}
    return RecordedExchange(
        method=request["method"],
        path=address.path,
        query=dict(parse_qsl(address.query, keep_blank_values=True)),
        headers=headers,
        content_type=content_type,
        body=body,
        cookies={cookie["name"]: cookie["value"] for cookie in request.get("cookies", ())},
        status=int(response["status"]),
        text=text,
        location=response.get("redirectURL") or answer_headers.get("location", ""),
    )


def _body(data: Mapping[str, Any], content_type: str) -> tuple[str, bytes]:
    """Content type and body; some browsers record only the parameters."""
    content_type = content_type or data.get("mimeType", "")
    if data.get("text"):
        return content_type, data["text"].encode("utf-8", "surrogatepass")
    pairs = [(param["name"], param.get("value", "")) for param in data.get("params", ())]
    if pairs and content_type.startswith("multipart/form-data"):
        parts = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
        )
        return "multipart/form-data; boundary=x", f"{parts}--x--\r\n".encode()
    return content_type, urlencode(pairs).encode()
