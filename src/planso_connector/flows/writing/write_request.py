"""What comes with a write besides its values, and the fingerprints by which a repetition of it is known."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action
from planso_connector.store.order_rows import to_json
from planso_connector.store.repeated_creates import WINDOW, compute_content


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """
    The phone call that a write belongs to: `id` is `bookings.fingerprint_call` of it. The same write again within
    `window` is one write, unless another write to the order came between. What the call holds, its bookings take up.
    """

    id: str
    window: timedelta = WINDOW


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """
    What comes with a write besides its values. `wait` is in seconds, None for the default; `if_match` is the ETag
    relied on, without its quotes, or `*`; `notes` are sentences for the caller; `is_strict`: `Prefer: handling=strict`;
    `can_read_orders`: whether duplicates may be named; `signature`: the name that ends appended lines, None for none;
    `unknown`: the members that were left out; `hold`: the slot that it takes up, an id of `store.slot_holds`; `call`:
    that of a tool's write.
    """

    caller: str = ""
    wait: float | None = None
    idempotency_key: str | None = None
    if_match: str | None = None
    is_strict: bool = False
    notes: str = ""
    can_read_orders: bool = True
    signature: str | None = None
    unknown: Mapping[str, object] = field(default_factory=dict)
    hold: str | None = None
    call: PhoneCall | None = None


def fingerprint_content(
    action: Action, order_id: int | None, requested: Mapping[str, Value], request: WriteRequest
) -> str | None:
    """Fingerprint of what one phone call asks for; without a call that of a create for a vehicle, or None."""
    if request.call is None:
        return compute_content(action, requested, request.unknown, is_strict=request.is_strict)
    parts = [request.call.id, action.value, order_id, dict(sorted(requested.items()))]
    return hashlib.blake2b(to_json(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def fingerprint_request(
    action: Action,
    order_id: int | None,
    requested: Mapping[str, Value],
    request: WriteRequest,
    undoes: str | None,
    controls: Mapping[str, Sequence[str]] | None,
) -> str:
    """Hash of what makes two requests with one idempotency key the same, however their JSON was written."""
    parts: list[object] = [action.value, order_id, dict(requested), request.if_match, undoes]
    if controls is not None:
        parts.append(dict(controls))
    if request.signature is not None:  # without the day: a repetition on the next one is the same request
        parts.append({"signed": True})
    return hashlib.blake2b(to_json(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
