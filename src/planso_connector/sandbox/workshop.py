"""The workshop's orders, and the reads, saves and edits that PlanSo and people make."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from planso_connector.sandbox import distinct_orders, invented_orders, save_effects, state_file
from planso_connector.sandbox.form_fields import FIELDS, STATUS_STATIONS
from planso_connector.sandbox.form_markup import render_filling_script
from planso_connector.sandbox.forms import AcceptedSave, OrderForm, SaveRefusedError
from planso_connector.sandbox.held_orders import HeldOrders
from planso_connector.sandbox.installation import OPTIONAL_SELECTS, Installation
from planso_connector.sandbox.knobs import Edit, Knobs
from planso_connector.sandbox.orders import SandboxOrder, WireValues
from planso_connector.sandbox.php import Pairs, escape, group_by_name
from planso_connector.sandbox.recorded_installation import ReplayedForm
from planso_connector.sandbox.save_calls import SaveCalls, build_save_calls

_MAX_CHANGES = 20_000


@dataclass(frozen=True)
class FieldChange:
    """One changed field. `at`: UTC. `by`: who changed it. `version`: the workshop's after it."""

    order_id: int
    label: str
    before: str
    after: str
    by: str
    at: datetime
    version: int


class Workshop:
    """All orders. Thread-safe: every public method takes the lock."""

    def __init__(
        self,
        installation: Installation,
        knobs: Knobs,
        *,
        orders: int,
        seed: int,
        today: date,
        state: Path | None,
        number: int = 0,
    ) -> None:
        """`number`: of one of several workshops, whose orders are invented when they are first needed; 0 for the only
        one.
        """
        self.installation = installation
        self.knobs = knobs
        recorded = installation.recorded
        self.form = ReplayedForm(installation, knobs, recorded.form) if recorded else OrderForm(installation, knobs)
        self.lock = threading.RLock()
        self.changes: deque[FieldChange] = deque(maxlen=_MAX_CHANGES)
        self.version = 0

        def invent() -> dict[int, SandboxOrder]:
            invented = invented_orders.invent_orders(
                self.form, orders=orders, seed=seed, today=today, fill_readme_order=number <= 1
            )
            if number:
                distinct_orders.make_distinct(self.form, invented, number)
            return invented

        self._held = HeldOrders(invent)
        self._blank: dict[int, tuple[int, float]] = {}
        self._state = state
        self._made_with: dict[str, Any] = {
            "orders": orders,
            "seed": seed,
            "today": today.isoformat(),
            "selects": sorted(label for label in OPTIONAL_SELECTS if installation.is_select(label)),
            "iso_dates": installation.iso_dates,
        }
        if recorded is not None:
            self._made_with["like"] = sorted(recorded.form.fields)
        if number:
            self._made_with["workshop"] = number
        if state is not None:
            self._load(state)
        if not number:
            self._held.orders  # noqa: B018 - invented at the start, not in the first request

    def _load(self, path: Path) -> None:
        kept = state_file.load_state(path, self._made_with)
        if kept is not None:
            self._held.load(kept)

    @property
    def _orders(self) -> dict[int, SandboxOrder]:
        return self._held.orders

    @property
    def holds_orders(self) -> bool:
        """Whether the orders are in memory."""
        return self._held.is_held

    def release_orders(self) -> None:
        """Let the orders go from memory, except the changed ones; they are invented again when they are needed."""
        with self.lock:
            self._held.release()

    def _save_state(self) -> None:
        self.version += 1
        if self._state is not None:
            state_file.save_state(self._state, self._held.to_saved_state(), self._made_with)

    # -- reading

    def get_order(self, order_id: int) -> SandboxOrder:
        """One order, archived or not. Raises KeyError."""
        with self.lock:
            if order_id not in self._orders:
                raise KeyError(f"There is no order {order_id}")
            return self._orders[order_id]

    def find_order(self, order_id: int | None) -> SandboxOrder | None:
        """One order, or None."""
        with self.lock:
            return self._orders.get(order_id) if order_id is not None else None

    def all_orders(self) -> list[SandboxOrder]:
        """Every order, archived ones too."""
        with self.lock:
            return list(self._orders.values())

    def board_orders(self) -> list[SandboxOrder]:
        """The orders that are not archived, in the board's order."""
        with self.lock:
            current = [order for order in self._orders.values() if not order.archived]
            return sorted(current, key=lambda order: order.position)

    def field_text(self, order: SandboxOrder, usual_label: str) -> str:
        """A field as a person reads it."""
        return self.form.to_text(usual_label, self.form.stored_values(order, usual_label))

    def short_name(self, order: SandboxOrder) -> str:
        """Plate and last name, as on the board."""
        person = self.field_text(order, "Fahrername").split(" ")[-1] or self.field_text(order, "Firma")
        return " ".join(part for part in (self.field_text(order, "Kennzeichen"), person) if part)

    def damage_or_date(self, order: SandboxOrder) -> str:
        """The board's `finish_date`, which can hold the damage class."""
        klass = self.field_text(order, "Kategorie") or order.finish_class
        finish = self.field_text(order, "Termin Fertigstellung")
        return {"class": klass, "date": finish, "both": f"{finish} {klass}".strip(), "empty": ""}[order.finish_style]

    # -- the form

    def form_answer(self, order_id: int | None) -> dict[str, Any]:
        """The answer to a read of the form; an unknown id has the empty form."""
        with self.lock:
            order = self.find_order(order_id)
            self.form.read_count += 1
            if order_id is not None and (order_id in self.knobs.empty_form_orders or self._is_blank(order_id)):
                order = None
            html, script = self.form.render(order), render_filling_script(self.form.controls(order))
            if order_id is not None:
                if order_id in self.knobs.no_content_orders:
                    html = ""
                self._apply_edits(self.knobs.pop_edits("edit_after_next_read", order_id))
            return form_response(escape(html) if self.installation.escaped_markup else html, script)

    def save_calls(self) -> SaveCalls:
        """The calls that save on this installation now."""
        recorded = self.installation.recorded
        if recorded is not None and self.knobs.save_style == recorded.saves.style:
            return recorded.saves.calls
        return build_save_calls(self.knobs.save_style, self.installation.table_id)

    def _is_blank(self, order_id: int) -> bool:
        """Whether the order's form is blank after a save. Counts one read."""
        readings, until = self._blank.get(order_id, (0, 0.0))
        self._blank[order_id] = (max(0, readings - 1), until)
        return readings > 0 or monotonic() < until

    def save(self, order_id: int, pairs: Pairs) -> None:
        """Save a form for an order. Raises `SaveRefusedError`."""
        with self.lock:
            self._apply_edits(self.knobs.pop_edits("edit_before_next_save", order_id))
            order = self._order_for_change(order_id)
            accepted = self._accept(order, pairs)
            if not self.knobs.count_down("drop_saves_next"):
                self._apply(order, accepted)
            self._apply_edits(self.knobs.pop_edits("edit_after_next_save", order_id))

    def insert(self, pairs: Pairs) -> int:
        """Save a form as a new order; returns its id. Raises `SaveRefusedError`."""
        with self.lock:
            self._check_not_refused()
            accepted = self._accept(None, pairs)
            order_id = self._held.next_id
            self._held.next_id += 1
            if self.knobs.count_down("drop_saves_next"):
                return order_id
            self._held.touched.add(order_id)
            self._apply(self._add_empty_order(order_id), accepted)
            return order_id

    def _accept(self, order: SandboxOrder | None, pairs: Pairs) -> AcceptedSave:
        """Parse a save, up to `take_pairs` pairs."""
        style = self.knobs.save_style
        if "form" in style.tokens and (order.token if order else "neu") not in group_by_name(pairs).get(
            "form_token", []
        ):
            raise SaveRefusedError("Das Sicherheitstoken des Formulars fehlt oder ist abgelaufen.")
        return self.form.accept(order, group_by_name(pairs[: self.knobs.take_pairs]), whole=style.sends == "whole")

    def _apply(self, order: SandboxOrder, accepted: AcceptedSave) -> None:
        rows_before = order.rows
        order.rows = accepted.rows
        if rows_before != order.rows:
            self._held.touched.add(order.id)
        self._set_values(order, save_effects.apply_save_effects(self.form, order, accepted), by="Verbindung")
        if self.knobs.blank_after_save or self.knobs.blank_seconds_after_save:
            self._blank[order.id] = (self.knobs.blank_after_save, monotonic() + self.knobs.blank_seconds_after_save)
        self._save_state()

    def _add_empty_order(self, order_id: int) -> SandboxOrder:
        self._held.gone.discard(order_id)
        order = SandboxOrder(
            id=order_id,
            row_id=str(600_000 + order_id * 7),
            token=f"{order_id * 0x9E3779B97F4A7C15 % 2**96:024x}",
            values={label: self.form.to_wire(label, "") for label in FIELDS},
            station="1@active",
            employee="",
            position=max((other.position for other in self._orders.values()), default=-1) + 1,
            finish_style="class",
        )
        order.values["Auftragsnummer"] = [f"A-{2026_0000 + order_id}"]
        self._orders[order_id] = order
        return order

    def remove(self, order_id: int) -> None:
        """Delete by a call of `submode=delete`. Raises `SaveRefusedError`."""
        with self.lock:
            self._order_for_change(order_id)
            if not self.knobs.count_down("drop_saves_next"):
                self.delete(order_id)

    def _check_not_refused(self) -> None:
        if self.knobs.refuse_saves is not None:
            raise SaveRefusedError(self.knobs.refuse_saves)

    def _order_for_change(self, order_id: int) -> SandboxOrder:
        self._check_not_refused()
        if order_id in self.knobs.locked_orders:
            raise SaveRefusedError(f"Der Auftrag {order_id} wird gerade von jemand anderem bearbeitet.")
        if order_id not in self._orders:
            raise SaveRefusedError(f"Der Auftrag {order_id} wurde nicht gefunden.")
        return self._orders[order_id]

    def _set_values(self, order: SandboxOrder, values: WireValues, *, by: str) -> None:
        now = datetime.now(UTC)
        for usual_label, wire in values.items():
            if self.form.stored_values(order, usual_label) == wire:
                continue
            before, after = self.field_text(order, usual_label), self.form.to_text(usual_label, wire)
            order.values[usual_label] = list(wire)
            self._held.touched.add(order.id)
            label = self.installation.shown_label(usual_label)
            self.changes.appendleft(FieldChange(order.id, label, before, after, by, now, self.version + 1))
            if usual_label == "Projekt-Status" and after in STATUS_STATIONS:
                state = "finished" if after in ("abholbereit", "ausgeliefert") else "active"
                order.station = f"{STATUS_STATIONS[after]}@{state}"

    # -- edits by other people

    def _apply_edits(self, edits: Iterable[Edit]) -> None:
        for order_id, label, value in edits:
            self.edit(order_id, label, value)

    def edit(self, order_id: int, label: str, value: str) -> None:
        """Change a field in PlanSo itself. Raises KeyError, and ValueError where a select does not offer the value."""
        with self.lock:
            order, usual_label = self.get_order(order_id), self.form.usual_label(label)
            self._set_values(order, {usual_label: self.form.to_wire(usual_label, value)}, by="Werkstatt")
            self._save_state()

    def add(self, texts: Mapping[str, str], order_id: int | None = None) -> int:
        """Create an order in PlanSo itself with texts by label; returns its id. `order_id` may be a deleted order's.

        Raises as `edit` does, and ValueError for an id that an order has.
        """
        with self.lock:
            usual_texts = {self.form.usual_label(label): text for label, text in texts.items()}
            values = {usual_label: self.form.to_wire(usual_label, text) for usual_label, text in usual_texts.items()}
            if order_id is None:
                order_id = self._held.next_id
            if order_id in self._orders or not 0 < order_id < 10**15:
                raise ValueError(f"The id {order_id} can't be given to a new order")
            self._held.next_id = max(self._held.next_id, order_id + 1)
            order = self._add_empty_order(order_id)
            self._set_values(order, values, by="Werkstatt")
            self._held.touched.add(order.id)
            self._save_state()
            return order.id

    def archive(self, order_id: int, *, archived: bool = True) -> None:
        """Take an order off the board, or put it back. Raises KeyError."""
        with self.lock:
            self.get_order(order_id).archived = archived
            self._held.touched.add(order_id)
            self._save_state()

    def delete(self, order_id: int) -> None:
        """Delete an order. Raises KeyError."""
        with self.lock:
            self.get_order(order_id)
            del self._orders[order_id]
            self._held.touched.discard(order_id)
            self._held.gone.add(order_id)
            self._save_state()


def form_response(html: str, script: str = "") -> dict[str, Any]:
    """The JSON answer with a form."""
    return {"center": {"content": html}, "functions": f"visual_forms.init();{script}"}
