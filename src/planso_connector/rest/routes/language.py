"""Which language an answer's sentences are in (RFC 9110, 12.5.4). German where the caller says nothing."""

from __future__ import annotations

import re
from typing import Annotated, get_args

from fastapi import Header, Request

from planso_connector.domain.language import Language

_RANGE = re.compile(
    r"\s*(?P<tag>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=(?P<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*",
    re.IGNORECASE | re.ASCII,
)
_OFFERED: tuple[Language, ...] = get_args(Language)
"""The first wins among equals."""


def negotiate_language(header: str) -> Language:
    """
    The offered language that the header likes best: greatest q, then named first. `en-GB` asks for English.
    What can't be read is passed over; where nothing offered is acceptable, German is answered all the same.
    """
    liked: dict[str, tuple[float, int]] = {}
    for at, text in enumerate(header.split(",")):
        match = _RANGE.fullmatch(text)
        if match is not None:
            tag = match["tag"].lower().partition("-")[0]
            liked[tag] = max(liked.get(tag, (0.0, 0)), (float(match["q"] or 1), -at))
    ranked = {language: liked.get(language, liked.get("*", (0.0, 0))) for language in _OFFERED}
    return max(_OFFERED, key=lambda language: ranked[language] if ranked[language][0] else (0.0, 0))


def response_language(
    request: Request,
    accept_language: Annotated[
        str | None, Header(max_length=1000, description="`de` or `en`, with q-values.", examples=["en-GB, de;q=0.5"])
    ] = None,
) -> Language:
    """The language of this answer. The parameter documents the header, which may come in several lines."""
    return negotiate_language(",".join(request.headers.getlist("accept-language")) if accept_language else "")


def language_headers(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
