# ruff: noqa: E501 - markup stands as PlanSo would send it
"""Controls that a script fills: what a browser would send is not in the markup, so nothing is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planso_connector.domain.errors import Invalid
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import PROFILE
from tests.planso.pages.forms import PERSON

DATE = "<div class=field><label>Werkstattstart</label><input name='f[5]' id=f_5 value=''></div>"
DROPDOWN = (
    "<div class=field><label>Kategorie</label><div class='ui selection dropdown'><input type=hidden name=d value='{}'>"
    "<div class='{}'>{}</div><div class=menu><div class=item data-value=3>KL 1</div><div class=item data-value=4>KL 2-3</div>"
    "<div class=item data-value=5>KL 4</div></div></div></div>"
)


def form_with(markup: str, functions: str = "") -> Form:
    answer = {"center": {"content": f"<form>{PERSON}{markup}</form>"}, "functions": functions}
    return Form.parse(answer, PROFILE, 123)


def refusal(form: Form) -> str:
    with pytest.raises(Invalid) as refused:
        form.plan({"person": "Neu"})
    (problem,) = refused.value.problems
    assert problem.type == "planso_script_filled"
    return problem.msg


FILLED = {
    "data-date": "<div><label>Werkstattstart</label><input name=c value='' data-date='16.12.2026'></div>",
    "data-value": "<div><label>Modell</label><input type=hidden name=c data-value=42></div>",
    "data-text": "<div><label>Modell</label><input type=hidden name=c value='' data-text=Golf></div>",
    "an empty select": "<div><label>Modell</label><select name=c data-value=42></select></div>",
    "a select with a placeholder alone": "<div><label>Modell</label><select name=c data-value=42><option value=''>bitte wählen</select></div>",
    "an editable block": "<div><label>Bemerkungen</label><div contenteditable>alt</div><textarea name=c></textarea></div>",
    "a drop-down's text": DROPDOWN.format("", "text", "KL 2-3").replace("name=d", "name=c"),
    "a script in the page": "<div><label>Modell</label><input id=c name=c></div><script>$('#c').val('Golf')</script>",
}


@pytest.mark.parametrize("markup", FILLED.values(), ids=FILLED)
def test_a_script_filled_control_stops_every_write(markup: str) -> None:
    """Whatever is asked: the save of the whole form would blank it. The refusal names the control."""
    form = form_with(markup)

    assert [control.name for control in form.script_filled_controls()] == ["c"]
    assert "(c)" in refusal(form)


HARMLESS = {
    "a value beside data-date": "<input name=c value='16.12.2026' data-date='16.12.2026'>",
    "a format, no date": "<input name=c value='' data-date='dd.mm.yyyy' data-date-format='dd.mm.yyyy'>",
    "nothing in data-value": "<input name=c value='' data-value='0'>",
    "a real select": "<select name=c data-value=2><option value=''>-<option value=1>VW<option value=2>BMW</select>",
    "a control without a name": "<input value='' data-date='16.12.2026'>",
    "a disabled control": "<input name=c value='' data-date='16.12.2026' disabled>",
    "the drop-down's placeholder": DROPDOWN.format("", "default text", "Kategorie"),
    "a block that is no editor": "<p>Text</p><textarea name=c></textarea>",
}


@pytest.mark.parametrize("markup", HARMLESS.values(), ids=HARMLESS)
def test_controls_with_a_value_in_the_markup_stop_nothing(markup: str) -> None:
    """A value beside the attribute, a select with options, what isn't sent, words that are no value."""
    form = form_with(markup)

    assert form.script_filled_controls() == ()
    assert form.serialise_changed_pairs(form.plan({"person": "Neu"})) == [("f[1]", "Neu")]


SCRIPTS = [
    "$('#f_5').val('16.12.2026');",
    '$("input[name=\'f[5]\']").val("16.12.2026")',
    "$('#form #f_5').val(data.start)".replace("#form ", "form "),
    "$('#f_5').datepicker({format: 'x'}).datepicker('setDate', '16.12.2026');",
    "$('#f_5').datepicker('setDate', new Date(2026, 11, 16))",
    "$(function () { $('#f_5').datepicker(); $('#f_5').val('16.12.2026').trigger('change'); })",
    "document.getElementById('f_5').value = '16.12.2026';",
    "document.querySelector('[name=\"f[5]\"]').value = start;",
    "document.getElementsByName('f[5]')[0].value = start;",
    "var start = $('#f_5'); start.val('16.12.2026');",
    "jQuery('#f_5').attr('value', '16.12.2026')",
    "function fill() { $('#f_5').val(data.start) } fill();",
    "$('#f_5').select2('val', '42');",
    "$.get('/do', { success: function (d) { $('#f_5:visible').val(d) } })",
]


@pytest.mark.parametrize("functions", SCRIPTS)
def test_controls_set_by_scripts_stop_every_write(functions: str) -> None:
    """By id, by name, over a variable, through a widget, in a function that is called."""
    assert "'Werkstattstart' (f[5])" in refusal(form_with(DATE, functions))


@pytest.mark.parametrize(
    "functions",
    [
        "$('#f_5').on('change', function () { $('#f_5').val('1') });",
        "$('#x').click(function () { if (a) { $('#f_5').val('16.12.2026'); } });",
        "$('#f_5').datepicker({ onSelect: function (text) { $('#f_5').val(text) } });",
        "$('#f_5').val('');",
        "// $('#f_5').val('1')",
        "/* $('#f_5').val('1') */",
        "function clear() { $('#f_5').val('x') }",
        "$('#other').val('1'); var value = $('#f_5').val();",
        "$('#f_5').datepicker();",
        "no script at all",
    ],
)
def test_code_that_does_not_run_on_load_stops_nothing(functions: str) -> None:
    """Handlers, comments, functions that nobody calls, other controls."""
    assert form_with(DATE, functions).script_filled_controls() == ()


def test_a_script_that_repeats_the_value_changes_nothing() -> None:
    """Set to the present value it stops nothing; set to another it does."""
    date = DATE.replace("value=''", "value='16.12.2026'")

    assert form_with(date, "$('#f_5').val('16.12.2026')").script_filled_controls() == ()
    assert refusal(form_with(date, "$('#f_5').val('17.12.2026')"))


def test_a_box_that_a_script_checks_stops_every_write() -> None:
    """Its state in a browser is not the markup's."""
    box = "<input type=checkbox id=c name=c>"

    assert refusal(form_with(box, "$('#c').prop('checked', true)"))
    assert form_with(box, "$('#c').prop('checked', false)").script_filled_controls() == ()


def test_script_values_are_read() -> None:
    """What a person sees is read."""
    assert form_with(FILLED["data-date"]).read_fields().values["shop_date"] == "2026-12-16"
    assert form_with(FILLED["data-value"]).read_fields().values["vehicle_details.modelID"] == 42
    assert form_with(DATE, SCRIPTS[0]).read_fields().values["shop_date"] == "2026-12-16"
    assert form_with(FILLED["a drop-down's text"]).read_fields().values["damage"] == "KL 2-3"


def test_where_only_changes_are_sent_other_fields_can_be_written() -> None:
    """Nothing is blanked then; only the script-filled control itself is refused."""
    form = form_with(FILLED["data-date"])

    assert form.plan({"person": "Neu"}, only_changed=True).changes
    with pytest.raises(Invalid, match="by a script"):
        form.plan({"shop_date": "2026-12-17"}, only_changed=True)


def test_learned_or_tried_controls_stop_nothing() -> None:
    """The profile names the controls of which it is known whether a browser sends the script's value or none."""
    form = form_with(FILLED["data-date"])
    known = replace(form, profile=replace(PROFILE, save=replace(PROFILE.save, known=("c",))))
    unfilled = replace(form, profile=replace(PROFILE, save=replace(PROFILE.save, unfilled=("c",))))

    assert (known.script_filled_controls(), unfilled.script_filled_controls()) == ((), ())
    assert known.serialise_pairs(known.plan({"person": "Neu"})) == [("f[1]", "Neu"), ("c", "16.12.2026")]
    assert unfilled.serialise_pairs(unfilled.plan({"person": "Neu"})) == [("f[1]", "Neu"), ("c", "")]


def test_a_dropdowns_items_are_its_options() -> None:
    """The hidden input gets the item's `data-value`, and a text that is no item is refused with the offer."""
    form = form_with(DROPDOWN.format("4", "text", "KL 2-3"))

    assert form.read_fields().values["damage"] == "KL 2-3"
    assert form.plan({"damage": "KL 2-3"}).changes == ()
    assert form.serialise_changed_pairs(form.plan({"damage": "KL 4"})) == [("d", "5")]
    with pytest.raises(Invalid, match="accepted: KL 1, KL 2-3, KL 4"):
        form.plan({"damage": "4-5"})
    unknown = form_with(DROPDOWN.format("99", "text", "KL 9"))
    assert unknown.serialise_pairs() == [("f[1]", "Muster"), ("d", "99")]
    assert unknown.serialise_changed_pairs(unknown.plan({"damage": "KL 4"})) == [("d", "5")]
