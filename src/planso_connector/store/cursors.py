"""Cursors: opaque text for a URL that says where a page of a list ended."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.store.order_rows import to_json


def encode(position: Sequence[str | int]) -> str:
    return base64.urlsafe_b64encode(to_json(list(position)).encode()).decode().rstrip("=")


def decode(cursor: str) -> list[Any]:
    """The position given to `encode`, whose members the caller checks. Raises Invalid."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(position, list) and encode(position) == cursor:
            return position
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise invalid_cursor()


def invalid_cursor() -> Invalid:
    return Invalid([Problem.of(("query", "cursor"), MESSAGES["cursor"], "cursor")])
