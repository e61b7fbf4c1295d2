"""Choose the language of sentences in a response by `Accept-Language` (RFC 9110, 12.5.4); German by default."""

from typing import Annotated

from fastapi import Header, Request

from planso_connector.domain.language import Language, negotiate_language


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
