# ruff: noqa: E501 - markup stands as PlanSo would send it
"""Which label names which control, in the markups that the protocol's section 3 allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.pages.text import clean_label, label_key
from tests.planso.conftest import PROFILE, form_of

VIN = '<div class="field"><label>VIN</label><input name="v" value="1"></div>'

MARKUPS = {
    "the protocol's block": '<div class="field"><label>KBA</label><input type="text" name="f_1" value="k"></div>',
    "a break, a star and a colon": "<div><label>K<br>BA&nbsp;*:</label><input name=a value=k></div>",
    "nested tags": "<div><label><i class=x></i><b>K</b>BA <span>*</span></label><div><input name=a value=k></div></div>",
    "a comment in the label": "<div><label>K<!-- <label>Alt</label> -->BA</label><input name=a value=k></div>",
    "a soft hyphen": "<div><label>K&shy;BA</label><input name=a value=k></div>",
    "for": "<div><label for=x>KBA</label></div><p><span><input id=x name=a value=k></span></p>",
    "for to nowhere": "<div><label for=nowhere>KBA</label><input name=a value=k></div>",
    "the control in the label": "<label>KBA: <input name=a value=k> (HSN/TSN)</label>",
    "the control first in the label": "<label><input name=a value=k> KBA</label>",
    "a row with a label": "<table><tr><th><label>KBA</label></th><td><input name=a value=k></td></tr></table>",
    "a row of cells": "<table><tr><td>KBA:</td><td><input name=a value=k></td><td>km</td></tr></table>",
    "rows without a table": "<tr><td>KBA</td><td><input name=a value=k></td></tr>",
    "a definition list": "<dl><dt>KBA</dt><dd><input name=a value=k></dd></dl>",
    "a span for a label": "<div><span class=label>KBA</span><input name=a value=k></div>",
    "a hidden token before": "<div><label>KBA</label><input type=hidden name=t value=9><input name=a value=k></div>",
    "a hidden input alone": "<div><label>KBA</label><input type=hidden name=a value=k></div>",
    "an unnamed picker": "<div><label>KBA</label><input class=picker value=x><input type=hidden name=a value=k></div>",
    "a button between": "<div><label>KBA</label><button>?</button><input type=button value=x><input name=a value=k></div>",
    "deep in bootstrap": "<div><div class=c><label>KBA</label></div><div class=c><div><p><input name=a value=k></p></div></div></div>",
    "a text area": "<div><label>KBA</label><textarea name=a>k</textarea></div>",
    "a select": "<div><label>KBA</label><select name=a><option value=1>x<option value=2 selected> k\n</select></div>",
    "option groups": "<div><label>KBA</label><select name=a><optgroup label=g><option>x<option selected>k</optgroup></select></div>",
    "radio buttons, bare": "<div><label>KBA</label><input type=radio name=a value=1> x<input type=radio name=a value=2 checked> k </div>",
    "radio buttons with labels": "<div><label>KBA</label><label><input type=radio name=a value=1>x</label>"
    "<label><input type=radio name=a value=2 checked>k</label></div>",
    "radio buttons with for": "<div><label>KBA</label><input type=radio id=r name=a value=1><label for=r>x</label>"
    "<input type=radio id=q name=a value=2 checked><label for=q>k</label></div>",
    "the first radio button by for": "<div><label for=r>KBA</label><input type=radio id=r name=a value=1> x"
    "<input type=radio name=a value=2 checked> k</div>",
    "capital tags": "<DIV><LABEL>kba</LABEL><INPUT NAME=a VALUE=k></DIV>",
    "two labels, one block, each before its control": "<p><label>KBA</label><input name=a value=k><label>Z</label><input name=z></p>",
}


@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
@pytest.mark.parametrize("around", ["{}", f"<form>{VIN}{{}}</form>", f"<form>{{}}{VIN}</form>"])
def test_every_allowed_markup_is_read(markup: str, around: str) -> None:
    """The label finds its control whatever stands between them, alone and beside another field."""
    form = form_of(around.format(markup))

    assert form.read_fields().values["vehicle_details.kba"] == "k"
    if VIN in around:
        assert form.read_fields().values["vehicle_details.vin"] == "1"


@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
def test_escaped_markup_reads_as_the_same_form(markup: str) -> None:
    """Entity-escaped content is the same form."""
    escaped = markup.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert form_of(escaped).serialise() == form_of(markup).serialise()
    assert form_of(escaped).read_fields() == form_of(markup).read_fields()


BOXES = {
    "after": "<div><label>Alle Fahrzeugdaten</label><input type=checkbox name=a value=1 checked></div>",
    "before": "<div><input type=checkbox name=a value=1 checked> <label>Alle Fahrzeugdaten</label></div>",
    "with a hidden zero": "<div><label>Alle Fahrzeugdaten</label><input type=hidden name=a value=0>"
    "<input type=checkbox name=a value=1 checked></div>",
    "in the label": "<div><label><input type=checkbox name=a value=1 checked> Alle Fahrzeugdaten</label></div>",
    "a switch": "<div><label>Alle Fahrzeugdaten</label><label class=switch>"
    "<input type=checkbox name=a value=1 checked><span></span></label></div>",
    "yes": "<div><label>Alle Fahrzeugdaten</label><label><input type=checkbox name=a value=1 checked> ja</label></div>",
}


@pytest.mark.parametrize("markup", BOXES.values(), ids=BOXES)
def test_check_boxes_are_read(markup: str) -> None:
    """A box stands before or after its label, alone or after PHP's hidden zero."""
    form = form_of(f"<form>{VIN}{markup}{VIN}</form>")

    assert form.read_fields().values["vehicle_details.all_details"] is True
    assert form.read_fields().fields["Alle Fahrzeugdaten"] == "ja"


def test_boxes_before_their_labels_in_one_block_are_not_shifted() -> None:
    """`box label box label`: each label has the box that stands right before it."""
    form = form_of("<p><input type=checkbox name=a checked><label>Reklamation</label><br>"
                   "<input type=checkbox name=b><label>Alle Fahrzeugdaten</label></p>")  # fmt: skip

    assert form.read_fields().fields == {"Reklamation": "ja", "Alle Fahrzeugdaten": "nein"}


def test_labels_above_their_controls_belong_to_their_columns() -> None:
    """Two labels in a row and two controls below: each control has the label of its own column."""
    form = form_of(f"{VIN}<table><tr><td><label>KBA</label></td><td><label>Farbton</label></td></tr>"
                   "<tr><td><input name=a value=k></td><td><input name=b value=f></td></tr></table>")  # fmt: skip

    assert form.read_fields().fields == {"VIN": "1", "KBA": "k", "Farbton": "f"}


def test_a_label_without_a_control_takes_none_from_its_neighbour() -> None:
    """A shown value without a control is no field."""
    form = form_of(f"<form><div><label>KBA</label><span>k</span></div>{VIN}<input type=hidden name=token></form>")

    assert form.read_fields().fields == {"VIN": "1"}


def test_the_form_with_the_most_labelled_controls_is_chosen() -> None:
    """A search form beside it is not sent; a control that names the form by `form=` is."""
    form = form_of("<form><label>Suche</label><input name=q></form><form id=f><div><label>KBA</label><input name=a></div>"
                   f"{VIN}</form><input form=f name=late value=2>")  # fmt: skip

    assert form.serialise() == "a=&v=1&late=2"


def test_without_a_form_element_the_whole_content_is_the_form() -> None:
    """HTML closes a `<form>` between `<table>` and `<tr>` at once; its controls still count."""
    form = form_of("<table><form><tr><td><label>KBA</label></td><td><input name=a value=k></td></tr></form></table>")

    assert form.read_fields().values["vehicle_details.kba"] == "k"
    assert form.serialise() == "a=k"


def test_of_equal_labels_the_first_is_the_field() -> None:
    """Of two `VIN` the field is the first; `fields` shows the later one where that is empty."""
    form = form_of(f"<div><label>VIN:</label><input name=a></div>{VIN}")

    assert form.read_fields().values["vehicle_details.vin"] is None
    assert form.read_fields().fields == {"VIN": "1"}


def test_the_first_label_that_is_not_empty_wins() -> None:
    """Fahrername before Halter, Soll before Ist, unless they are empty."""
    content = "<div><label>Halter</label><input name=h value=H></div><div><label>Fahrername</label><input name=f value='{}'></div>"

    assert form_of(content.format("F")).read_fields().values["person"] == "F"
    assert form_of(content.format(" ")).read_fields().values["person"] == "H"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"center": None},
        {"center": {"content": None}},
        {"center": {"content": "<p>Wartung</p>"}},
        {"center": {"content": "<form><input type=submit name=x></form>"}},
        {"center": [], "error": "Kein <b>Zugriff</b>"},
    ],
)
def test_an_answer_without_a_form_is_refused(answer: dict[str, object]) -> None:
    """Without a labelled control there is no form; the message names the order."""
    with pytest.raises(PageChanged, match="order 123"):
        Form.parse(answer, PROFILE, 123)


def test_a_blank_form_is_recognised() -> None:
    """Only first options, unchecked boxes, zeros: an unknown order's form. One text is enough for an order."""
    blank = ("<input type=hidden name=t value=9><div><label>Klasse</label><select name=k><option value=0>bitte wählen"
             "<option value=1>A</select></div><div><label>KBA</label><input name=a value='{}'></div>"
             "<div><label>Reklamation</label><input type=checkbox name=c></div>"
             "<div><label>Terminart</label><input name=d value=0></div>")  # fmt: skip

    assert form_of(blank.format("")).read_fields().is_blank
    assert not form_of(blank.format("k")).read_fields().is_blank


@given(st.text(), st.text(alphabet=" *:-/().\xa0\xad\n", max_size=5))
def test_label_keys_ignore_case_punctuation_and_blanks(text: str, noise: str) -> None:
    """A key depends on letters and digits alone, and keying twice changes nothing."""
    key = label_key(text)

    assert label_key(f"{noise}{text}{noise}") == key
    assert label_key(key) == key
    assert label_key(clean_label(text)) == key


@pytest.mark.parametrize(
    ("label", "key"), [("Sollstunden\nKaro *:", "sollstundenkaro"), ("HU/AU", "huau"), ("Ru\u0308ckgabe", "rückgabe")]
)
def test_examples_of_label_keys(label: str, key: str) -> None:
    """Labels of real forms, and umlauts in two characters."""
    assert label_key(label) == key


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("<option value=0 selected>ohne E-Teile<option value=1>bestellt", "ohne E-Teile"),
        ("<option value='' selected>-<option value=1>bestellt", None),
        ("<option selected>- bitte wählen -<option value=1>bestellt", None),
        ("<option value=-1>Bitte auswählen<option value=1>bestellt", None),
        ("<option value='' >alle<option value=1>bestellt", None),
        ("<option value=1>Bitte anrufen", "Bitte anrufen"),
        ("<option>offen<option selected value=''>bestellt", "bestellt"),
        ("", None),
    ],
)
def test_placeholder_options_have_no_value(options: str, value: str | None) -> None:
    """`bitte wählen` and an empty first option say nothing; `ohne E-Teile` does, whatever its id."""
    form = form_of(f"{VIN}<div><label>E-Teile Status</label><select name=s>{options}</select></div>")

    assert form.read_fields().values["parts_status"] == value


def test_an_empty_content_is_a_blank_form() -> None:
    """What PlanSo may show for an order that does not exist: blank, and without any label."""
    form = Form.parse({"center": {"content": " "}}, PROFILE, 999)

    assert (form.is_blank, form.labels) == (True, ())
