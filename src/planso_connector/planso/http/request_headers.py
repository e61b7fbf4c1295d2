"""The headers of requests to PlanSo, as a browser sends them with the connector's own name."""

import httpx2

from planso_connector import __version__
from planso_connector.planso.http.bounded_response import ACCEPT_ENCODING
from planso_connector.planso.http.urls import get_origin

PAGE_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": ACCEPT_ENCODING,
    "Connection": "keep-alive",
    "User-Agent": f"planso-connector/{__version__}",
}


def build_headers(app: httpx2.URL) -> dict[str, dict[str, str]]:
    """Those of calls that the page `app` makes, by method."""
    calls = {
        **PAGE_HEADERS,
        "X-Requested-With": "XMLHttpRequest",
        "Accept": "application/json, text/javascript, */*; q=0.01",
        "Referer": str(app),
    }
    return {"GET": calls, "POST": {**calls, "Origin": get_origin(app)}}
