"""Doctor: examine a PlanSo installation, or parse unreadable pages again. Only reads; no transaction, no write."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl

from planso_connector.domain.errors import Invalid, PageChanged, PlansoError
from planso_connector.domain.fields import BY_PATH, FIELDS, RequestKind
from planso_connector.domain.order import PartsReading
from planso_connector.domain.part import Part, count_missing
from planso_connector.domain.saving.style_status import SaveStyleStatus
from planso_connector.flows.writing.write_stops import WritesStatus
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.board_parser import parse_board
from planso_connector.planso.pages.change_plan import describe_candidate
from planso_connector.planso.pages.field_locator import FieldLocation
from planso_connector.planso.pages.form_parser import Form, FormMissing
from planso_connector.planso.pages.parts_parser import parse_parts
from planso_connector.planso.pages.tab_parser import parse_tab
from planso_connector.planso.profile import Profile
from planso_connector.store.unreadable_pages import UnreadablePage

DRY_RUN_FIELD = "remarks"
"""The field that the dry run pretends to change."""

MAX_NAMED_ORDERS = 10
"""Orders of a list that are named at most."""

MAX_SESSION_READS = 3
"""How often the form is read in each of the two sessions at most."""

EXCERPT_LENGTH = 300
"""Characters."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one step: what was examined, whether it is ok, a message, and rows for a table."""

    step: str
    is_ok: bool
    message: str
    rows: tuple[tuple[str, ...], ...] = field(default=())


async def examine(
    planso: PlansoClient, order_id: int | None, on_form: Callable[[Form], Awaitable[None]]
) -> AsyncIterator[Finding]:
    """
    Log in, read the list, one form and its parts, describe what a write would send, and find out how many sessions the
    account may have. Ends at the first error, which names PlanSo's address. `on_form` is awaited with the form.
    """
    accepted = Finding("login", is_ok=True, message=f"PlanSo at {planso.address} accepted the user.")
    step = "login"
    try:
        # Not `log_in`, which would send a password again that was rejected before.
        board = await planso.read_board()
        yield accepted
        yield Finding("list", is_ok=bool(board), message=f"{len(board)} current orders.")
        chosen = order_id if order_id is not None else (board[0].order_id if board else None)
        if chosen is None:
            yield Finding("form", is_ok=False, message="There is no order to read; name one with --order.")
            return
        step = "form"
        form = await _read_existing_form(planso, chosen)
        if form is None:
            is_listed = any(entry.order_id == chosen for entry in board)
            yield Finding("form", is_ok=False, message=_describe_missing_order(chosen, is_listed=is_listed))
            return
        await on_form(form)
        yield report_fields(chosen, form)
        yield _report_missing_labels(form)
        yield report_field_controls(form)
        step = "parts"
        parts = await planso.read_parts(chosen)
        status = parts.status or "none on the page"
        missing = count_missing(parts.parts)
        yield Finding("parts", is_ok=True, message=f"{len(parts.parts)} parts, {missing} missing; status: {status}.")
        yield _dry_run(form)
        step = "sessions"
        yield await check_sessions(planso, chosen)
    except PlansoError as error:
        if step == "login" and planso.login_status.state == "logged_in":
            yield accepted
            step = "list"
        yield Finding(step, is_ok=False, message=f"{planso.address}: {error}")


async def _read_existing_form(planso: PlansoClient, order_id: int) -> Form | None:
    """None if PlanSo has no such order: it then answers with an empty form, or without one."""
    try:
        form = await planso.read_form(order_id)
    except FormMissing:
        return None
    return None if form.is_blank else form


def _describe_missing_order(order_id: int, *, is_listed: bool) -> str:
    if is_listed:
        return f"PlanSo lists order {order_id} and shows an empty form for it; read another one with --order."
    return f"PlanSo has no order {order_id}."


def report_writes(status: WritesStatus) -> Finding:
    """Report whether writes reach PlanSo."""
    rows = tuple(("stopped", stop.message) for stop in status.stops)
    message = f"{status.state}, {status.pending} pending, {status.clean_saves} saves compared clean."
    return Finding("writes", is_ok=not rows, message=message, rows=rows)


def report_database(advice: Sequence[str]) -> Finding:
    """Report what should be changed about the database server; the connector works all the same."""
    rows = tuple(("advice", text) for text in advice)
    return Finding("database", is_ok=True, message="It works; see the advice." if rows else "It is set up.", rows=rows)


def report_unreadable_pages(count: int) -> Finding:
    """Report pages that are kept because they could not be read."""
    pages = "1 page that could not be read is" if count == 1 else f"{count} pages that could not be read are"
    message = f"{pages} kept; `planso-connector doctor --replay` reads them again."
    return Finding("pages", is_ok=True, message=message)


def report_saving(status: SaveStyleStatus) -> Finding:
    """Report how it is known how this PlanSo saves, and the next step to know it better."""
    return Finding("saving", is_ok=True, message=f"{status.state}: {status.reason}. {status.next_step}".rstrip())


async def check_sessions(planso: PlansoClient, order_id: int) -> Finding:
    """Read the form in both sessions in turn, as writes during a sync do, until it is known whether both stay open."""
    for _ in range(MAX_SESSION_READS):
        with urgent_requests():
            await planso.read_form(order_id)
        await planso.read_form(order_id)
        if planso.sessions.status.is_decided:
            break
    reason = planso.sessions.status.reason
    return Finding("sessions", is_ok=True, message=f"{reason[0].upper()}{reason[1:]}.")


def reread_pages(pages: Sequence[UnreadablePage], profile: Profile) -> Iterator[Finding]:
    """Parse unreadable pages again with this profile, without PlanSo. Ok: the page can be read now."""
    if not pages:
        yield Finding("replay", is_ok=True, message="No pages are kept: all that was read could be.")
    for page in pages:
        order = f" of order {page.order_id}" if page.order_id is not None else ""
        step, before = f"{page.kind}{order}", f"{page.kept_at}, then: {page.reason}"
        try:
            summary, rows = _parse_again(page, profile)
        except ValueError:
            yield Finding(step, is_ok=False, message=f"{before}\nnow: not JSON; {_excerpt(page.content)}")
        except PageChanged as error:
            yield Finding(step, is_ok=False, message=f"{before}\nnow: {error}; {_excerpt(page.content)}")
        else:
            yield Finding(step, is_ok=True, message=f"{before}\nnow: {summary}", rows=rows)


_Rows = tuple[tuple[str, ...], ...]


def _parse_again(page: UnreadablePage, profile: Profile) -> tuple[str, _Rows]:
    """What was found, and rows for a table. Raises ValueError if it is not JSON, PageChanged if it is unreadable."""
    try:
        content: Any = json.loads(page.content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if page.kind == "list":
        board = parse_board(content)
        shown = ", ".join(str(entry.order_id) for entry in board[:MAX_NAMED_ORDERS])
        return f"{len(board)} orders: {shown}{', …' if len(board) > MAX_NAMED_ORDERS else ''}", ()
    if page.kind in ("form", "parts"):
        if not isinstance(content, Mapping):
            raise PageChanged("the JSON is not an object")
        if page.kind == "form":
            return _summarize_form(Form.parse(content, profile, page.order_id))
        return _summarize_parts(parse_parts(content, profile.parts, page.order_id or 0))
    section = parse_tab(page.kind, content)
    tables = [("table", ", ".join(table.headers), f"{len(table.rows)} rows") for table in section.tables]
    message = f"{len(section.tables)} tables, {len(section.pairs)} labels with values, {len(section.links)} links"
    return message, (*tables, *(("label", label) for label in section.pairs))


def _summarize_form(form: Form) -> tuple[str, _Rows]:
    absent = dict(form.missing_labels())
    mapped = [("field", path, "found") for path in BY_PATH if path not in absent]
    unmapped = [("field", path, f"no label: {' or '.join(labels)}") for path, labels in absent.items()]
    message = f"{len(form.labels)} labels, {len(mapped)} of {len(FIELDS)} fields found"
    return message, (*(("label", label) for label in form.labels), *mapped, *unmapped)


def _summarize_parts(parts: PartsReading) -> tuple[str, _Rows]:
    columns = [
        column.name
        for column in fields(Part)
        if column.name != "order_id" and any(getattr(part, column.name) not in (None, False) for part in parts.parts)
    ]
    table = "a table" if parts.has_table else "no table"
    return f"{table}, {len(parts.parts)} rows; status: {parts.status or 'none on the page'}", tuple(
        ("column", column) for column in columns
    )


def _excerpt(content: str) -> str:
    """The masked page's first characters, in one line."""
    excerpt = " ".join(content[:EXCERPT_LENGTH].split())
    return f"it begins with: {excerpt}" if excerpt else "it is empty"


def report_fields(order_id: int, form: Form) -> Finding:
    """Report the fields that this form holds, and how each was found."""
    reading = form.read_fields()
    absent = dict(form.missing_labels())
    rows = [
        (
            path,
            BY_PATH[path].kind.value,
            "filled" if reading.values.get(path) is not None else "empty",
            _found_by(location),
        )
        for path, location in form.field_locations().items()
        if path not in absent
    ]
    return Finding(
        "form",
        is_ok=not reading.is_blank,
        message=f"Order {order_id}: {len(reading.fields)} labels, {len(rows)} of {len(FIELDS)} fields found.",
        rows=tuple(rows),
    )


def _report_missing_labels(form: Form) -> Finding:
    rows = tuple((path, BY_PATH[path].kind.value, " or ".join(labels)) for path, labels in form.missing_labels())
    needed = [path for path, *_ in rows if RequestKind.UPDATE in BY_PATH[path].accepted_in]
    message = f"{len(rows)} fields have no label in this form, {len(needed)} of them fields of PUT."
    if rows:
        message += " A write that asks for one is answered with 422; a profile can name other labels."
    return Finding("labels", is_ok=not needed, message=message, rows=rows)


def report_field_controls(form: Form) -> Finding:
    """Report what keeps fields of this form from being written, and columns that may be fields."""
    doubts = [
        ("field", path, f"{location.ambiguity}: {', '.join(map(describe_candidate, location.candidates))}")
        for path, location in form.field_locations().items()
        if location.ambiguity
    ]
    filled = [("script", control.name, control.label) for control in form.script_filled_controls()]
    copied = [("copied id", own_id, "") for own_id in form.markup.copied_ids]
    hints = [
        ("hint", path, f"may be the column '{column}' ({control.name})")
        for path, column, control in form.column_hints()
    ]
    message = f"{len(doubts)} fields can't be told apart, {len(filled)} controls are filled by a script."
    if doubts:
        message += " A write to such a field is answered with 422; a profile can name its column."
    if filled:
        message += " No write is sent with this form: it would blank them."
    return Finding(
        "handles", is_ok=not doubts and not filled, message=message, rows=(*doubts, *filled, *copied, *hints)
    )


def _dry_run(form: Form) -> Finding:
    try:
        plan = form.plan({DRY_RUN_FIELD: "Probe"})
    except Invalid as error:
        return Finding("dry run", is_ok=False, message=str(error))
    before = parse_qsl(form.serialise(), keep_blank_values=True)
    after = parse_qsl(form.serialise(plan), keep_blank_values=True)
    same = sum(a == b for a, b in zip(before, after, strict=False))
    message = (
        f"A write to {DRY_RUN_FIELD} would send {len(after)} controls, {same} of them unchanged, and change "
        f"{', '.join(change.label for change in plan.changes)}. Nothing was sent."
    )
    return Finding("dry run", is_ok=len(before) == len(after), message=message)


def _found_by(location: FieldLocation) -> str:
    """`label 'Telefon' under 'Kunde'`, `column 'shop_date'`."""
    heading = f" under '{location.entry.heading}'" if location.entry.heading else ""
    return f"{'column' if location.is_column else 'label'} '{location.name}'{heading}"
