"""What a write of a form changes in the request that is sent to PlanSo."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qsl

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form import Form
from tests.planso.conftest import form_of


def read_sent_values(form: Form, changes: dict[str, Value] | None = None) -> dict[str, list[str]]:
    """Return the values that saving the form sends, by control name."""
    sent = defaultdict(list)
    plan = form.plan(changes) if changes is not None else None
    for name, value in parse_qsl(form.serialise(plan), keep_blank_values=True):
        sent[name].append(value)
    return dict(sent)


def find_changed_controls(content: str, changes: dict[str, Value]) -> dict[str, list[str]] | str:
    """Return the new values of the controls that a write changes, by name; or the problem type if it is refused."""
    form = form_of(content)
    before = read_sent_values(form)
    try:
        after = read_sent_values(form, changes)
    except Invalid as refused:
        return refused.problems[0].type
    return {name: after.get(name, []) for name in before | after if before.get(name) != after.get(name)}
