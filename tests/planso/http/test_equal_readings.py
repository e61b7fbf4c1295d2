"""Readings of a form that are the same bytes are one form; any other bytes are read anew."""

from __future__ import annotations

import json

import pytest

from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.sandbox import Sandbox
from tests.planso.conftest import PROFILE, client, form_of
from tests.planso.odd_server import answer, odd

pytestmark = pytest.mark.anyio


def _page(value: str, label: str = "VIN") -> str:
    return json.dumps({"center": {"content": f"<div><label>{label}</label><input name=v value='{value}'></div>"}})


async def test_equal_bytes_are_one_form(url: str, sandbox: Sandbox) -> None:
    """An unchanged form is the previous one; a change by somebody shows; another order's form is never taken."""
    order, other = sandbox.order_ids()[:2]
    async with client(url) as planso:
        first = await planso.read_form(order)
        assert await planso.read_form(order, first) is first
        assert (await planso.read_form(other, first)).order_id == other
        sandbox.edit_field(order, "Bemerkungen", "von Hand")
        edited = await planso.read_form(order, first)
        assert {label for label, _, _ in edited.find_differences(first)} == {"Bemerkungen"}
        assert edited.read_fields().values["remarks"] == "von Hand"


@pytest.mark.parametrize(
    ("page", "charset"),
    [(_page("2"), ""), (_page("1 "), ""), (_page("1", "Vin"), ""), (_page("1") + " ", ""), (_page("1"), "; charset=x")],
)
async def test_another_byte_is_another_form(page: str, charset: str) -> None:
    """A blank, a letter's case or another charset is enough: what was sent is read anew."""
    answers = iter([answer(_page("1")), answer(page, charset=charset)])
    async with odd(do=lambda _: next(answers)) as server, client(server.url, profile=PROFILE) as planso:
        first = await planso.read_form(123)
        assert await planso.read_form(123, first) is not first


@pytest.mark.parametrize(("path", "value"), [("vehicle_details.vin", "2"), ("remarks", "neu"), ("damage", "b")])
def test_a_planned_snapshot_differs_in_the_planned_controls_alone(path: str, value: str) -> None:
    """The snapshot of what is sent is that of the form, with the new values; the form's own stays as it was."""
    content = (
        "<label for=v>VIN</label><input id=v name=v value=1><label for=r>Bemerkungen</label><textarea id=r name=r>alt"
        "</textarea><label for=d>Kategorie</label><select id=d name=d><option value=1>a<option value=2>b</select>"
        "<input type=hidden name=key value=7>"
    )
    form, untouched = form_of(content), form_of(content)
    plan = form.plan({path: value})
    sent, held = take_snapshot(form, plan), take_snapshot(form)
    changed = {form.markup.controls[index].name for index in plan.new_values}
    assert {column for column in held if held[column] != sent[column]} == changed != set()
    assert held == take_snapshot(untouched)
    assert list(sent) == list(held)
    assert [text for state in sent.values() for text in state.values] == [
        text for _, text in form.serialise_pairs(plan)
    ]
