"""Doctor: look at a PlanSo installation through the connector's eyes. Reads only; no transaction, no write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from planso_connector.domain.errors import Invalid, PlansoError
from planso_connector.domain.fields import BY_PATH, FIELDS, On, Value
from planso_connector.domain.part import missing_count
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form

TRIED = "remarks"
"""The field that the dry run pretends to change."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of the examination: what was looked at, whether it is well, in words, and rows for a table."""

    step: str
    well: bool
    words: str
    rows: tuple[tuple[str, ...], ...] = field(default=())


async def examine(planso: Planso, order_id: int | None) -> AsyncIterator[Finding]:
    """Log in, list, read one form and its parts, and what a write would send. Ends at the first step that fails."""
    try:
        # Not `log_in`: that would send a password again that is remembered as rejected.
        board = await planso.board()
        yield Finding("login", well=True, words="PlanSo accepted the user.")
        yield Finding("list", well=bool(board), words=f"{len(board)} current orders.")
        chosen = order_id if order_id is not None else (board[0].order_id if board else None)
        if chosen is None:
            yield Finding("form", well=False, words="There is no order to read; name one with --order.")
            return
        form = await planso.read_form(chosen)
        yield _mapped(chosen, form)
        yield _unmapped(form)
        parts = await planso.parts(chosen)
        status = parts.status or "none on the page"
        missing = missing_count(parts.parts)
        yield Finding("parts", well=True, words=f"{len(parts.parts)} parts, {missing} missing; status: {status}.")
        yield _dry_run(form)
    except PlansoError as error:
        yield Finding(type(error).__name__, well=False, words=str(error))


def _mapped(order_id: int, form: Form) -> Finding:
    reading = form.reading()
    absent = dict(form.missing_labels())
    rows = [(path, _kind(path), _presence(reading.values, path)) for path in BY_PATH if path not in absent]
    return Finding(
        "form",
        well=not reading.is_blank,
        words=f"Order {order_id}: {len(reading.fields)} labels, {len(rows)} of {len(FIELDS)} fields found.",
        rows=tuple(rows),
    )


def _unmapped(form: Form) -> Finding:
    rows = tuple((path, _kind(path), " or ".join(labels)) for path, labels in form.missing_labels())
    needed = [path for path, *_ in rows if On.UPDATE in BY_PATH[path].on]
    words = f"{len(rows)} fields have no label in this form, {len(needed)} of them fields of PUT."
    if rows:
        words += " A write that asks for one is answered with 422; a profile can name other labels."
    return Finding("labels", well=not needed, words=words, rows=rows)


def _dry_run(form: Form) -> Finding:
    try:
        plan = form.plan({TRIED: "Probe"})
    except Invalid as error:
        return Finding("dry run", well=False, words=str(error))
    before = parse_qsl(form.serialised(), keep_blank_values=True)
    after = parse_qsl(form.serialised(plan), keep_blank_values=True)
    same = sum(a == b for a, b in zip(before, after, strict=False))
    words = (
        f"A write to {TRIED} would send {len(after)} controls, {same} of them as they stand, and change "
        f"{', '.join(change.label for change in plan.changes)}. Nothing was sent."
    )
    return Finding("dry run", well=len(before) == len(after), words=words)


def _kind(path: str) -> str:
    return BY_PATH[path].kind.value


def _presence(values: Mapping[str, Value], path: str) -> str:
    return "empty" if values.get(path) is None else "filled"
