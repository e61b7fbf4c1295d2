"""Values planned by control name: what a browser would submit afterwards is what it submitted before."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import Invalid
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import form_of

TEXTS = st.text(st.sampled_from('aä"<&\n 0'), max_size=4)


@st.composite
def contents(draw: st.DrawFn) -> str:
    """A form with one control of each kind, in any state; the structure is always the same."""

    def one_of(*values: str) -> str:
        chosen = draw(st.sampled_from((*values, "")))
        return "".join(f'<option value="{v}"{" selected" if v == chosen else ""}>{v}</option>' for v in values)

    def some_of(*values: str) -> str:
        return "".join(f'<option value="{v}"{draw(st.sampled_from((" selected", "")))}>{v}</option>' for v in values)

    def checked() -> str:
        return draw(st.sampled_from((" checked", "")))

    def text() -> str:
        return draw(TEXTS).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

    pick = draw(st.integers(0, 2))
    radios = "".join(
        f"<label><input type=radio name=pick value={at}{' checked' if pick == at else ''}>{at}</label>" for at in (1, 2)
    )
    return f"""<form><input type=hidden name=token value="{text()}">
<div><label>Name</label><input name=person value="{text()}"></div>
<div><label>Text</label><textarea name=remarks>
{text()}</textarea></div>
<div><label>Klasse</label><select name=damage>{one_of("0", "5", "6")}</select></div>
<div><label>Mehrere</label><select name=many multiple>{some_of("1", "2", "3")}</select></div>
<div><label>Kasten</label><input type=hidden name=all value=0><input type=checkbox name=all value=1{checked()}></div>
<div><label>Farben</label><input type=checkbox name=c[] value=r{checked()}>
<input type=checkbox name=c[] value=g{checked()}>
</div><div><label>Art</label>{radios}</div>
<div><label>Zwei</label><input name=two value="{text()}"><input name=two value="{text()}"></div></form>"""


def pairs(form: Form, wanted: dict[str, tuple[str, ...]] | None = None) -> list[tuple[str, str]]:
    plan = form.plan_controls(wanted) if wanted is not None else None
    return parse_qsl(form.serialise(plan), keep_blank_values=True)


@given(contents(), contents())
def test_earlier_values_are_submitted_again(before: str, damaged: str) -> None:
    """Planning the earlier values by control name makes any form submit exactly what it submitted before."""
    earlier, now = form_of(before), form_of(damaged)
    names = {name for name, _ in pairs(earlier)} | {name for name, _ in pairs(now)}
    # Of radio buttons none can be chosen again: a browser can't either, but the pairs can leave them out.
    wanted = {name: earlier.submitted_values.get(name, ()) for name in names}

    assert pairs(now, wanted) == pairs(earlier)


@given(contents())
def test_current_values_change_nothing(content: str) -> None:
    """A form that submits these values already has an empty plan."""
    form = form_of(content)
    plan = form.plan_controls(form.submitted_values)
    assert (plan.new_values, plan.changes) == ({}, ())


@given(contents(), TEXTS)
def test_only_the_named_controls_change(content: str, text: str) -> None:
    """All other controls are sent as they stand."""
    form = form_of(content)
    now = pairs(form, {"person": (text,)})
    assert [pair for pair in now if pair[0] != "person"] == [pair for pair in pairs(form) if pair[0] != "person"]
    assert dict(now)["person"] == text


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("gone", ("x",)),
        ("damage", ("7",)),
        ("damage", ("5", "6")),
        ("pick", ("3",)),
        ("all", ("0", "2")),
        ("person", ()),
        ("person", ("a", "b")),
        ("two", ("a",)),
        ("many", ("3", "1")),
        ("locked", ("x",)),
    ],
)
def test_values_that_a_control_cannot_submit_are_refused(name: str, values: tuple[str, ...]) -> None:
    """A control that is not there, is disabled, or does not offer the values: Invalid names it, nothing is planned."""
    form = form_of(
        """<form><div><label>Name</label><input name=person value=a></div>
<div><label>Klasse</label><select name=damage><option value=5>5<option value=6>6</select></div>
<div><label>Mehrere</label><select name=many multiple><option value=1>1<option value=3>3</select></div>
<div><label>Kasten</label><input type=hidden name=all value=0><input type=checkbox name=all value=1></div>
<div><label>Art</label><label><input type=radio name=pick value=1>1</label></div>
<div><label>Fest</label><input name=locked value=a disabled></div>
<div><label>Zwei</label><input name=two value=a><input name=two value=b></div></form>"""
    )
    with pytest.raises(Invalid) as refused:
        form.plan_controls({"person": ("a",), name: values})
    assert [problem.field for problem in refused.value.problems] == [name]
