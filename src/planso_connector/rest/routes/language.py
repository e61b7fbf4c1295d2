"""Choose the language of sentences in a response by `Accept-Language` (RFC 9110, 12.5.4); German by default."""

import re
from collections.abc import Sequence
from typing import Annotated, get_args

from fastapi import Header, Request

from planso_connector.domain.language import Language

_RANGE = re.compile(
    r"\s*(?P<tag>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=(?P<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*",
    re.IGNORECASE | re.ASCII,
)
_OFFERED: tuple[Language, ...] = get_args(Language)
"""In order of preference among equals."""


def negotiate_language(header: str, offered: Sequence[Language] = _OFFERED) -> Language:
    """
    The offered language with the greatest q, then the one named first. `en-GB` asks for English.

    Unreadable parts are ignored; where no offered language is acceptable, it is the first one all the same.
    """
    preferences: dict[str, tuple[float, int]] = {}
    for position, text in enumerate(header.split(",")):
        match = _RANGE.fullmatch(text)
        if match is not None:
            tag = match["tag"].lower().partition("-")[0]
            preference = float(match["q"] or 1), -position
            preferences[tag] = max(preferences.get(tag, (0.0, 0)), preference)

    def rank(language: Language) -> tuple[float, int]:
        preference = preferences.get(language, preferences.get("*", (0.0, 0)))
        return preference if preference[0] else (0.0, 0)

    return max(offered, key=rank)


def response_language(
    request: Request,
    accept_language: Annotated[
        str | None,
        Header(
            alias="Accept-Language",
            max_length=1000,
            description="`de` or `en`, with q-values.",
            examples=["en-GB, de;q=0.5"],
        ),
    ] = None,
) -> Language:
    """The parameter documents the header, which the request may have several times."""
    return negotiate_language(",".join(request.headers.getlist("accept-language")) if accept_language else "")


def get_error_language(request: Request) -> Language:
    """The language of what is wrong with a request: English unless German is asked for."""
    return negotiate_language(",".join(request.headers.getlist("accept-language")), ("en", "de"))


def language_headers(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
