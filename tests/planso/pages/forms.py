"""Forms as markup, and what a write changes in what is sent of them."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qsl

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import form_of

PERSON = "<div class=field><label>Fahrername</label><input name='f[1]' value='Muster'></div>"


def labelled_input(label: str, name: str, value: str, attributes: str = "") -> str:
    return f"<div class=field><label>{label}</label><input name='{name}' value='{value}'{attributes}></div>"


def serialise_by_name(form: Form, requested: dict[str, Value] | None = None) -> dict[str, list[str]]:
    """What a save would send, by control name."""
    found = defaultdict(list)
    plan = form.plan(requested) if requested is not None else None
    for name, value in parse_qsl(form.serialise(plan), keep_blank_values=True):
        found[name].append(value)
    return dict(found)


def find_changes(content: str, requested: dict[str, Value]) -> dict[str, list[str]] | str:
    """The values that a write changes in what is sent, by control name, or the type of the refusal."""
    form = form_of(content)
    before = serialise_by_name(form)
    try:
        after = serialise_by_name(form, requested)
    except Invalid as refused:
        return refused.problems[0].type
    return {name: after.get(name, []) for name in before | after if before.get(name) != after.get(name)}
