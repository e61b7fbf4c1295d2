"""What PlanSo holds and what the mirror holds of an order, in the same form; and what people do in PlanSo."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx2

from planso_connector.sandbox import Sandbox
from tests.service import Service

WRITTEN = {"remarks": "Bemerkungen", "person": "Fahrername", "express_link": "ExpressLink"}
BOXES = {"Alle Fahrzeugdaten", "Fahrbereit", "Abtretung unterschrieben", "Datenschutz bestätigt"}
UPLOAD = "Foto hochladen"


class PlansoUser:
    """What people do in PlanSo itself, beside what `Sandbox` offers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._workshop = sandbox._workshop  # noqa: SLF001 - as a person would

    def arrive(self, name: str) -> int:
        with self._workshop.lock:
            order_id = self._workshop.insert([("rowID", "")])
            for label, value in (("Fahrername", name), ("Kennzeichen", f"WN-X {order_id}"), ("VIN", f"VIN{order_id}")):
                self._workshop.edit(order_id, label, value)
            return order_id

    def archived(self, order_id: int) -> bool:
        return self._workshop.get_order(order_id).archived

    def listed(self, order_id: int) -> tuple[str, str]:
        order = self._workshop.get_order(order_id)
        return self._workshop.short_name(order), order.station

    def exists(self, order_id: int) -> bool:
        return self._workshop.find_order(order_id) is not None

    def change_parts(self, order_id: int, how: str) -> None:
        with self._workshop.lock:
            parts = self._workshop.get_order(order_id).parts
            others = [part for order in self._workshop.board_orders() for part in order.parts]
            if how == "add" and others:
                row_id = 1 + max(part.row_id for part in others)
                parts.append(replace(others[0], row_id=row_id, description="Nachtrag"))
            elif parts and how == "drop":
                parts.pop(0)
            elif parts:
                parts[0].delivered = not parts[0].delivered


def values_in_planso(planso: httpx2.Client, order_id: int) -> dict[str, str]:
    """By label, and the station by `""`."""
    answer = planso.get(f"/sandbox/orders/{order_id}").json()
    assert answer["archived"] is False
    return {**{k: _plain(v) for k, v in answer["values"].items() if k != UPLOAD}, "": answer["station"]}


def values_in_mirror(order: dict[str, Any]) -> dict[str, str]:
    """The same from the connector's response, once its typed members agree with its `fields`."""
    fields = {label: _plain(shown) for label, shown in order["fields"].items()}
    for label in BOXES & fields.keys():
        fields[label] = {"ja": "1", "nein": ""}[fields[label]]
    fields = {label: "" if shown == "bitte wählen" else shown for label, shown in fields.items()}
    for path, label in WRITTEN.items():
        assert _plain(order[path] or "") == fields.get(label, "")
    day, hours = order["shop_date"], order["est_hours_lack"]
    shown_day = fields.get("Werkstattstart", "")[:10]
    assert shown_day in ((day[:10], f"{datetime.fromisoformat(day):%d.%m.%Y}") if day else ("",))
    shown_hours = fields.get("Sollstunden Lack", "").replace(".", "").replace(",", ".")
    assert hours == (float(shown_hours) if shown_hours else None)
    return {**fields, "": station(order)}


def station(order: dict[str, Any]) -> str:
    return f"{order['station_id'] or ''}@{order['station_state'] or ''}".removesuffix("@")


def _plain(text: str) -> str:
    return " ".join(text.split())


def parts_in_planso(sandbox: Sandbox, order_id: int) -> list[tuple[object, ...]]:
    names = ("description", "number", "to_order", "ordered", "delivered", "backorder", "mandatory", "missing")
    return [(str(p["row_id"]), float(p["quantity"]), *(p[name] for name in names)) for p in sandbox.parts(order_id)]


def parts_in_mirror(service: Service, order_id: int) -> list[tuple[object, ...]]:
    flags = ("is_to_order", "is_ordered", "is_delivered", "is_backorder", "is_mandatory", "is_missing")
    found = service.http.get(f"/api/orders/{order_id}/parts").json()["parts"]
    return [(p["row_id"], p["qty"], p["description"], p["part_no"], *(p[flag] for flag in flags)) for p in found]
