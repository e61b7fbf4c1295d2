"""The bodies of responses that show orders, made of the orders' JSON texts without parsing them."""

from collections.abc import Callable, Mapping

from pydantic_core import to_json

from planso_connector.store.orders import StoredOrder
from planso_connector.store.search import OrderPage

LARGE_LIST = 100
"""Orders in a response from which on it takes several MB."""


def render_order(stored: StoredOrder, message: str, *, stale: bool) -> bytes:
    head = b'{"success":true,"message":' + (to_json(message) if message else b'""')
    return b'%b,"order":%b,"stale":%b}' % (head, stored.order.document.encode(), b"true" if stale else b"false")


def render_list(
    page: OrderPage,
    message: str,
    members: Mapping[str, object],
    *,
    stale: bool,
    select: Callable[[str], str] | None = None,
) -> bytes:
    """`members`: those beside the usual ones. `select` is applied to each order's text."""
    documents = [order.document for order in page.documents]
    if select is not None:
        documents = [select(document) for document in documents]
    tail = to_json({"count": len(documents), "next_cursor": page.next_cursor, **members, "stale": stale})
    head = b'{"success":true,"message":' + (to_json(message) if message else b'""')
    return b'%b,"orders":[%b],%b' % (head, ",".join(documents).encode(), tail[1:])
