"""Parse a page's response, whose errors have the redacted response, for a person to see what changed."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2

from planso_connector.domain.errors import PageChanged, PageTooLarge
from planso_connector.planso.http.decoding import NotJson, TooManyJsonValues, decode_response
from planso_connector.planso.pages.form_parser import FormMissing
from planso_connector.planso.pages.page_masking import redact_content

T = TypeVar("T")


def get_source(response: httpx2.Response) -> tuple[str, bytes]:
    """All that a page is decoded from: responses with an equal source are one page."""
    return response.headers.get("content-type", ""), response.content


def parse_page(response: httpx2.Response, page: str, parse: Callable[[httpx2.Response], T]) -> T:
    """
    What `parse` makes of a page; `page` is its name in messages. Raises PageChanged with the redacted response as its
    content, PageTooLarge without.
    """
    try:
        return parse(response)
    except FormMissing:
        raise
    except (TooManyJsonValues, PageTooLarge) as error:
        raise PageTooLarge(f"{page}: {error}") from error
    except RecursionError as error:
        raise PageTooLarge(f"{page} is nested too deeply") from error
    except NotJson as error:
        content = redact_content(decode_response(response))
        raise PageChanged(f"{page}: PlanSo's answer is not JSON", content=content) from error
    except PageChanged as error:
        error.content = redact_content(decode_response(response))
        raise


def require_object(answer: Any, page: str) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    raise PageChanged(f"{page}: PlanSo answered with JSON that is not an object")
