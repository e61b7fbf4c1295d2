"""A form whose layout is known reads as it does in full."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.http.decoding import decode_content
from planso_connector.planso.pages.form_layout import FormLayouts, describe_markup
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from tests.planso.conftest import PROFILE, client

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "form_cases.json").read_text(encoding="utf-8"))
INSTALLATIONS = {
    **{markup: Installation(markup=markup, field_names=7) for markup in ("div", "table", "for", "wrapped", "busy")},
    "escaped, latin": Installation(escaped_markup=True, charset="iso-8859-1-undeclared", list_shape="list"),
    "hidden zeros": Installation(markup="busy", hidden_zero=frozenset({"Alle Fahrzeugdaten", "Fahrbereit"})),
}
CONTENTS = st.sampled_from(
    ["", "0", "Zoë", "08:00", "16.12.2026", "2026-12-16", "12,5", "WN-AE 2309", "a & b", "a\nb", "\n", "x\r\ny", "ja"]
) | st.text(max_size=8)
_ATTRIBUTE_VALUE = re.compile(r"(?<=\bvalue=)(?:\"[^\"]*\"|'[^']*')")
_TEXT_AREA = re.compile(r"(?<=>)[^<>]*(?=</textarea>)")
_FLAG = re.compile(r" (?:checked|selected)(?:=\"[^\"]*\")?")


def answer_of(content: str, functions: str = "") -> dict[str, Any]:
    return {"center": {"content": content}, "functions": functions}


def read(answer: dict[str, Any], layouts: FormLayouts | None, like: Form | None = None) -> object:
    """All that is read of a form, or why it can't be read."""
    try:
        return describe(Form.parse(answer, PROFILE, 123, layouts, like))
    except PageChanged as error:
        return str(error)


def describe(form: Form) -> object:
    return describe_markup(form.markup), form.read_fields(), form.serialise(), take_snapshot(form)


def vary(content: str, texts: list[str], flags: list[bool]) -> str:
    """The same form with other contents: `texts` and `flags` in turn, over and over."""
    words, marks = iter(texts * len(content)), iter(flags * len(content))
    content = _ATTRIBUTE_VALUE.sub(lambda _: f'"{html.escape(next(words))}"', content)
    content = _TEXT_AREA.sub(lambda _: html.escape(next(words)), content)
    return _FLAG.sub(lambda flag: flag[0] if next(marks) else "", content)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
@settings(max_examples=5)
@given(data=st.data())
def test_any_contents_read_as_in_full(case: dict[str, Any], data: st.DataObject) -> None:
    """However odd the markup and whatever its controls hold, each of several readings is what a full one gives."""
    layouts = FormLayouts(PROFILE)
    read(answer_of(case["content"]), layouts)
    for _ in range(3):
        texts = data.draw(st.lists(CONTENTS, min_size=1, max_size=6))
        flags = data.draw(st.lists(st.booleans(), min_size=1, max_size=4))
        answer = answer_of(vary(case["content"], texts, flags))

        assert read(answer, layouts) == read(answer, None)


@pytest.mark.anyio
@pytest.mark.parametrize("installation", INSTALLATIONS.values(), ids=INSTALLATIONS)
async def test_the_forms_of_an_installation_share_a_layout(installation: Installation) -> None:
    """Orders of the sandbox read as in full, and most of them by a layout that earlier ones had."""
    sandbox = Sandbox(orders=24, installation=installation)
    layouts = await compare_all(sandbox)
    assert layouts.hits >= 12


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["data", "functions"])
async def test_controls_that_a_script_fills_read_as_in_full(by: Literal["data", "functions"]) -> None:
    """With child rows too, whose contents a script does not touch."""
    sandbox = Sandbox(orders=12)
    sandbox.knobs.script_filled, sandbox.knobs.child_rows = {"Kennzeichen", "Kundenkategorie"}, 4
    sandbox.knobs.script_filled_by = by
    await compare_all(sandbox)


async def compare_all(sandbox: Sandbox) -> FormLayouts:
    layouts = FormLayouts(PROFILE)
    with sandbox.serve() as url:
        async with client(url) as planso:
            forms = [await planso.read_form(order) for order in sandbox.order_ids()]
    for form in forms:
        assert form.source is not None
        content_type, content = form.source
        answer = json.loads(decode_content(content, content_type))
        assert read(answer, layouts) == read(answer, None)
    return layouts


FIELD = '<div class="field"><label>{label}</label><input type="{type}" name="{name}" value="{value}"></div>'


def test_contents_that_decide_belong_to_the_layout() -> None:
    """A hidden input that holds the same as the one before it makes that ambiguous; one that doesn't, does not."""
    pair = (
        '<form><div><label>Kennzeichen</label><input name="f[1]" value="{}"><input type="hidden" name="g" value="{}">'
    )
    person = '</div><div><label>Fahrername</label><input name="f[2]" value="{}"></div></form>'
    layouts = FormLayouts(PROFILE)
    for number in range(6):
        for plate, hidden in (("WN-AE 2309", "WN-AE 2309"), ("WN-AE 2309", "7")):
            answer = answer_of(pair.format(plate, hidden) + person.format(f"Muster {number}"))
            assert read(answer, layouts) == read(answer, None)
    assert layouts.hits >= 8


@pytest.mark.parametrize(
    "value",
    [
        '"><input name="f[9]" value="x',
        "\0",
        "\ud800",
        '</form><form id="b">',
        "<!--",
        "&quot;><b>",
        "head",
        "x' checked='",
    ],
)
def test_contents_that_are_markup_change_the_reading_as_in_full(value: str) -> None:
    """Unescaped contents that end an attribute or open elements are read as an HTML parser reads them."""
    layouts = FormLayouts(PROFILE)
    area = "<div><label>Bemerkungen</label><textarea name='f[3]'>{}</textarea></div>"
    for text in ("a", "b", "c", value, "d"):
        content = FIELD.format(label="Fahrername", type="text", name="f[1]", value=text) + area.format(text)
        answer = answer_of(f"<form>{content}</form>")
        assert read(answer, layouts) == read(answer, None)
    assert layouts.hits >= 2


def test_a_form_that_changed_in_one_control_shares_the_others() -> None:
    """Its own reading and that of the form before it are what full ones give; controls that are equal are the same."""
    layouts = FormLayouts(PROFILE)
    names = [f"f[{number}]" for number in range(40)]

    def answer(number: int, changed: str = "") -> dict[str, Any]:
        fields = (FIELD.format(label=name, type="text", name=name, value=f"{name} {number}") for name in names)
        person = FIELD.format(label="Fahrername", type="text", name="p", value=changed or f"Muster {number}")
        return answer_of(f"<form>{person}{''.join(fields)}</form>")

    for number in range(60):
        Form.parse(answer(number), PROFILE, number, layouts)
    before = Form.parse(answer(60), PROFILE, 123, layouts)
    take_snapshot(before)
    after = Form.parse(answer(60, "Zoë"), PROFILE, 123, layouts, before)

    assert describe(before) == read(answer(60), None)
    assert describe(after) == read(answer(60, "Zoë"), None)
    pairs = zip(before.markup.controls, after.markup.controls, strict=True)
    assert [old is new for old, new in pairs] == [False, *[True] * 40]
    assert [label for label, _, _ in after.find_differences(before)] == ["Fahrername"]


def test_only_the_last_of_several_checked_radio_buttons_is_checked() -> None:
    radio = '<input type="radio" name="f[1]" value="{}"{}> {} '
    layouts = FormLayouts(PROFILE)
    for checked in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1)):
        buttons = "".join(radio.format(i, " checked" if is_checked else "", i) for i, is_checked in enumerate(checked))
        person = FIELD.format(label="Fahrername", type="text", name="f[2]", value="Muster")
        answer = answer_of(f"<form><div><label>Kostenträger</label>{buttons}</div>{person}</form>")
        assert read(answer, layouts) == read(answer, None)
    assert layouts.hits >= 1
