# ruff: noqa: E501 - markup stands as PlanSo would send it
"""Which control is a field's is decided by column, label, block and heading, and refused where it is ambiguous."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import Invalid, PageChanged
from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.planso_columns import CANDIDATE_COLUMNS, COLUMNS
from planso_connector.flows.operating.doctor import report_field_controls, report_fields
from planso_connector.planso.pages.column_names import candidate_columns
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import PROFILE, form_of
from tests.planso.pages.forms import PERSON, find_changes, labelled_input


def read_and_write_phone(content: str) -> tuple[object, object]:
    """The phone as it is read, and what a write of it changes."""
    return form_of(content).read_fields().values["phone"], find_changes(content, {"phone": "0152"})


AMBIGUOUS = "planso_ambiguous"
MISSING = "planso_label_missing"
WRITTEN = {"t": ["0152"]}

SURE = {
    "copied id, in their blocks": "<form><div><label for=a>Fahrername</label><input id=a name=n value=M></div><div><label for=a>Telefon</label><input id=a name=t value=0151></div></form>",
    "copied id, in a row": "<form><label for=a>Fahrername</label><input id=a name=n value=M><label for=a>Telefon</label><input id=a name=t value=0151></form>",
    "copied for, the second has another id": "<form><div><label for=a>Fahrername</label><input id=a name=n value=M></div><div><label for=a>Telefon</label><input id=b name=t value=0151></div></form>",
    "an error message is no label": f"<form>{PERSON}<div><label for=t>Telefon</label><input id=t name=t value=0151><label for=t class=error>Bitte prüfen</label></div></form>",
    "three inputs before their labels": "<form><div><input name=n value=M><label>Fahrername</label><input name=t value=0151><label>Telefon</label><input name=k value='WN-A 1'><label>Kennzeichen</label></div></form>",
    "lines, a search above": "<form><input name=q><br><label>Fahrername</label> <input name=n value=M><br><label>Telefon</label> <input name=t value=0151><br></form>",
    "labels on lines of their own": "<form><label>Fahrername</label><br><input name=n value=M><br><label>Telefon</label><br><input name=t value=0151><br></form>",
    "a disabled copy": f"<form>{PERSON}{labelled_input('Telefon', 't', '0151')}{labelled_input('Telefon', 'd', '9', ' disabled')}</form>",
    "a read-only copy": f"<form>{PERSON}{labelled_input('Telefon', 'd', '9', ' readonly')}{labelled_input('Telefon', 't', '0151')}</form>",
    "a neutral one and the insurance's": f"<form>{PERSON}{labelled_input('Telefon', 't', '0151')}<h4>Versicherung</h4>{labelled_input('Telefon', 'v', '0711')}</form>",
    "fieldsets": f"<form><fieldset><legend>Versicherung</legend>{labelled_input('Telefon', 'v', '0711')}</fieldset><fieldset><legend>Kunde</legend>{PERSON}{labelled_input('Telefon', 't', '0151')}</fieldset></form>",
    "rows under a wide head": "<form><table><tr><th colspan=2>Versicherung</th></tr><tr><td>Telefon</td><td><input name=v value=0711></td></tr><tr><th colspan=2>Kunde</th></tr><tr><td>Fahrername</td><td><input name=n value=M></td></tr><tr><td>Telefon</td><td><input name=t value=0151></td></tr></table></form>",
    "words in bold": f"<form><p><strong>Versicherung</strong></p>{labelled_input('Telefon', 'v', '0711')}<p><strong>Kunde</strong></p>{PERSON}{labelled_input('Telefon', 't', '0151')}</form>",
    "panels": f"<form><div><div class=panel-heading>Versicherung</div><div>{labelled_input('Telefon', 'v', '0711')}</div></div><div><div class=panel-heading><h3>Kunde</h3></div><div>{PERSON}{labelled_input('Telefon', 't', '0151')}</div></div></form>",
    "tabs": f"<form><ul class='nav nav-tabs'><li><a href='#v'>Versicherung</a></li><li><a href='#k'>Kunde</a></li></ul><div id=v>{labelled_input('Telefon', 'v', '0711')}</div><div id=k>{PERSON}{labelled_input('Telefon', 't', '0151')}</div></form>",
    "tabs by data-tab": f"<form><a data-tab=v>Versicherung</a><a data-tab=k>Kunde</a><div data-tab=v>{labelled_input('Telefon', 'v', '0711')}</div><div data-tab=k>{PERSON}{labelled_input('Telefon', 't', '0151')}</div></form>",
    "a remark in the label": f"<form>{PERSON}{labelled_input('Telefon <small>(Versicherung)</small>', 'v', '0711')}{labelled_input('Telefon <small>(Kunde)</small>', 't', '0151')}</form>",
    "aria-label": f"<form>{PERSON}<input name=t aria-label=Telefon value=0151></form>",
    "aria-labelledby": f"<form>{PERSON}<p id=x>Telefon</p><p>Hinweis</p><input name=t aria-labelledby=x value=0151></form>",
    "title": f"<form>{PERSON}<input name=t title=Telefon value=0151></form>",
    "legend": f"<form>{PERSON}<fieldset><legend>Telefon</legend><input name=t value=0151></fieldset></form>",
    "heading": f"<form>{PERSON}<div><h4>Telefon</h4><input name=t value=0151></div></form>",
    "heads in blocks": "<form><div><div><label>Fahrername</label></div><div><label>Telefon</label></div></div><div><div><input name=n value=M></div><div><input name=t value=0151></div></div></form>",
    "the old value hidden beside it": f"<form>{PERSON}<div><label>Telefon</label><input name=t value=0151><input type=hidden name=t_old value=0151></div></form>",
}


@pytest.mark.parametrize("content", SURE.values(), ids=SURE)
def test_unambiguous_layouts_are_read_and_written(content: str) -> None:
    """By block, heading, remark, or being the only editable one, the customer's phone is read and written."""
    assert read_and_write_phone(content) == ("0151", WRITTEN)


UNSURE = {
    "two phones": f"<form>{PERSON}{labelled_input('Telefon', 'a', '0711')}{labelled_input('Telefon', 'b', '0151')}</form>",
    "of holder and driver": f"<form><h3>Halter</h3>{labelled_input('Telefon', 'a', '0711')}<h3>Fahrer</h3>{PERSON}{labelled_input('Telefon', 'b', '0151')}</form>",
    "two labels at one control": f"<form>{PERSON}<div><label for=t>Telefon</label><label for=t>Kennzeichen</label><input id=t name=t value=0151></div></form>",
    "copied for, no blocks": "<form><label for=a>Fahrername</label><label for=a>Telefon</label><input id=a name=n value=M><input id=b name=t value=0151></form>",
    "copied id, labels apart": "<form><div><label for=a>Fahrername</label><label for=a>Telefon</label></div><div><input id=a name=n value=M><input id=a name=t value=0151></div></form>",
    "three inputs after two labels": f"<form>{PERSON}<div><label>KBA</label><input name=n value=M><label>Telefon</label><input name=t value=0151><input name=k value='WN-A 1'></div></form>",
    "two labels among three inputs": "<form><div><input name=n value=M><label>Fahrername</label><input name=t value=0151><label>Telefon</label><input name=k value='WN-A 1'></div></form>",
    "labels in a row, then controls": "<form><div><label>Fahrername</label><label>Telefon</label><label>VIN</label><input name=n value=M><input name=t value=0151><input name=v value=1></div></form>",
    "area code and number": f"<form>{PERSON}<div><label>Telefon</label><input name=v value=0151><input name=t value=234></div></form>",
    "area code and number in a row": f"<form>{PERSON}<table><tr><td>Telefon</td><td><input name=v value=0151><input name=t value=234></td></tr></table></form>",
    "for elsewhere, another control in its block": f"<form>{PERSON}<div><label for=x>Telefon</label><input name=a value=0711></div><div><input id=x name=b value=0151></div></form>",
}


@pytest.mark.parametrize("content", UNSURE.values(), ids=UNSURE)
def test_ambiguous_layouts_are_neither_read_nor_written(content: str) -> None:
    """A write raises Invalid, the phone is None, and the reading lists it as ambiguous."""
    assert read_and_write_phone(content) == (None, AMBIGUOUS)
    assert "phone" in form_of(content).read_fields().ambiguous


def test_a_refusal_names_the_candidates() -> None:
    """Label, heading and control name of each."""
    content = f"<form><h3>Halter</h3>{labelled_input('Telefon', 'a', '1')}<h3>Fahrer</h3>{labelled_input('Telefon', 'b', '2')}</form>"

    with pytest.raises(Invalid, match=r"'Telefon' under 'Halter' \(a\), 'Telefon' under 'Fahrer' \(b\)"):
        form_of(content).plan({"phone": "0152"})


def test_equal_values_of_ambiguous_controls_are_read() -> None:
    """Controls with equal values are read; a write is refused all the same."""
    content = f"<form>{PERSON}{labelled_input('Telefon', 'a', '0151')}{labelled_input('Telefon', 'b', '0151')}</form>"

    assert read_and_write_phone(content) == ("0151", AMBIGUOUS)


@pytest.mark.parametrize(
    "other", ["Versicherung", "Gutachter", "Rechtsanwalt", "Leasinggeber", "Unfallgegner", "Mietwagen"]
)
@pytest.mark.parametrize("customer", ["Kunde", "Halter", "Fahrer", "Kundendaten", "Fahrzeughalter"])
def test_another_partys_field_is_never_the_customers(other: str, customer: str) -> None:
    """Neither beside the customer's, nor where it is the only one."""
    alone = f"<form>{PERSON}<h3>{other}</h3>{labelled_input('Telefon', 'v', '0711')}"

    assert read_and_write_phone(f"{alone}<h3>{customer}</h3>{labelled_input('Telefon', 't', '0151')}</form>") == (
        "0151",
        WRITTEN,
    )
    assert read_and_write_phone(f"{alone}</form>") == (None, MISSING)
    assert form_of(f"{alone}</form>").read_fields().fields["Telefon"] == "0711"


COLUMN_NAMES = ["{}", "f[{}]", "f[25704][{}]", "25704_{}", "baymis_25704_{}", "f_{}", "data[{}][]"]


@pytest.mark.parametrize(
    "path", [path for path in COLUMNS if path not in ("vehicle_details.vin", "vehicle_details.kba")]
)
def test_a_field_is_found_by_its_column(path: str) -> None:
    """In name or id, whole or as the last part, in any case, under any label."""
    for at, form in enumerate(COLUMN_NAMES):
        name = form.format(COLUMNS[path][0])
        handle = "id" if at % 2 else "name"
        other = "" if handle == "name" else " name='f_8123'"
        form_now = form_of(
            f"<form><div><label>Beschriftung</label><input{other} {handle}='{name.upper() if at == 2 else name}'></div></form>"
        )
        assert [path for path, held in form_now.field_locations().items() if held.is_column].count(path) == 1


@given(st.from_regex(r"[A-Za-z]{3,9}", fullmatch=True), st.sampled_from(["{}_{}", "{}[{}]", "{}[f][{}]"]))
def test_a_word_before_a_column_makes_it_another_column(word: str, form: str) -> None:
    """`Versicherung_Telefon` is not `Telefon`; only table ids and words without a meaning may stand before it."""
    name = form.format(word, "Telefon")

    is_column = "telefon" in candidate_columns(name)
    assert is_column is (
        word.casefold()
        in {
            "form",
            "fld",
            "data",
            "col",
            "cols",
            "column",
            "field",
            "fields",
            "feld",
            "input",
            "row",
            "rec",
            "record",
            "rsp",
            "ctl",
            "edit",
            "order",
            "auftrag",
            "project",
            "projekt",
            "plain",
            "value",
            "values",
            "vehicle",
        }
    )


@pytest.mark.parametrize("name", ["8123", "f_8123", "f[8123]", "f[]", "_", "[]", "]"])
def test_numbers_are_no_columns(name: str) -> None:
    """A name of digits is a number of this installation, whatever a profile calls a column."""
    assert not {column for column in candidate_columns(name) if column.isdecimal() and column == name.strip("f_[]")} - {
        "8123"
    }
    assert not form_of(f"<form>{PERSON}<input name='{name}' value=1></form>").column_hints()


DATED = "16.12.2026"


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (
            labelled_input("Werkstattstart", "f_9", DATED) + labelled_input("Frist", "shop_date", "18.12.2026"),
            AMBIGUOUS,
        ),
        (labelled_input("Werkstattstart", "paint_date", DATED), AMBIGUOUS),
        (labelled_input("Werkstattstart", "a_shop_date", DATED), {"a_shop_date": ["17.12.2026"]}),
        (labelled_input("Frist", "shop_date", DATED), {"shop_date": ["17.12.2026"]}),
        (
            labelled_input("Werkstattstart", "f_9", "1.1.2026") + labelled_input("Werkstattstart", "shop_date", DATED),
            {"shop_date": ["17.12.2026"]},
        ),
        (labelled_input("Frist", "f[shop_date]", DATED) + labelled_input("Frist", "25_shop_date", DATED), MISSING),
        (labelled_input("Frist", "shop_date_time", "08:00"), MISSING),
    ],
)
def test_labels_and_columns_must_agree(content: str, outcome: object) -> None:
    """A column decides between twins; where label and column name different controls, or a label stands at another field's column, nothing is written."""
    assert find_changes(f"<form>{PERSON}{content}</form>", {"shop_date": "2026-12-17"}) == outcome


def test_swapped_labels_write_nothing() -> None:
    """The name's label at the phone's column and the other way round: neither is read or written."""
    content = (
        "<form>"
        + labelled_input("Fahrername", "Telefon", "0151")
        + labelled_input("Telefon", "Fahrername", "M")
        + "</form>"
    )
    values = form_of(content).read_fields().values

    assert (values["person"], values["phone"]) == (None, None)
    assert find_changes(content, {"person": "N"}) == find_changes(content, {"phone": "N"}) == AMBIGUOUS


def test_an_unsure_column_is_only_a_hint() -> None:
    """The doctor names it; it is neither read nor written."""
    for path, columns in CANDIDATE_COLUMNS.items():
        for column in columns:
            form = form_of(f"<form><div><label>Sonstiges</label><input name='{column}' value=1></div></form>")
            assert form.read_fields().values[path] is None
            assert [(field, found) for field, found, _ in form.column_hints()] == [(path, column.casefold())]


def test_equal_names_are_written_together_and_the_last_is_read() -> None:
    """PHP keeps the last of equal names; what comes before a check box or input for the case that it isn't sent stays."""
    twice = f"<form>{PERSON}<div><label>Werkstattstart</label><input name=d value='16.12.2026'><input type=hidden name=d value='16.12.2026'></div></form>"
    unlabelled = f"<form>{PERSON}{labelled_input('Telefon', 't', '0151')}<input name=t value=0151></form>"
    fallback = f"<form>{PERSON}<div><label>Telefon</label><input type=hidden name=t value=''><input name=t value=0151></div></form>"
    listed = f"<form>{PERSON}{labelled_input('Telefon', 'l[]', '0151')}{labelled_input('Hobby', 'l[]', 'x')}</form>"

    assert find_changes(twice, {"shop_date": "2026-12-17"}) == {"d": ["17.12.2026", "17.12.2026"]}
    assert find_changes(unlabelled, {"phone": "0152"}) == {"t": ["0152", "0152"]}
    assert find_changes(fallback, {"phone": "0152"}) == {"t": ["", "0152"]}
    assert find_changes(listed, {"phone": "0152"}) == {"l[]": ["0152", "x"]}


MIRRORS = [("f_5_show", "f_5"), ("shop", "shop_submit"), ("x1", "y2"), ("d", "d_alt")]


@pytest.mark.parametrize(("shown", "hidden"), MIRRORS)
def test_a_named_mirror_is_read_and_not_written(shown: str, hidden: str) -> None:
    """Which of the two PlanSo stores can't be known. Other fields are written, and both go back as they stand."""
    content = f"<form>{PERSON}<div><label>Werkstattstart</label><input name={shown} value='16.12.2026'><input type=hidden name={hidden} value='2026-12-16'></div></form>"

    assert form_of(content).read_fields().values["shop_date"] == "2026-12-16"
    assert find_changes(content, {"shop_date": "2026-12-17"}) == AMBIGUOUS
    assert find_changes(content, {"person": "Neu"}) == {"f[1]": ["Neu"]}


def test_date_and_time_inputs_of_one_label_are_written_separately() -> None:
    """Two inputs whose type or value says what they hold; otherwise the write is refused."""
    typed = f"<form>{PERSON}<div><label>Rückgabe</label><input type=date name=d><input type=time name=t></div></form>"
    valued = f"<form>{PERSON}<div><label>Rückgabe</label><input name=d value='15.12.2026'><input name=t value='16:00'></div></form>"
    columns = valued.replace("name=d", "name=return_date").replace("name=t", "name=return_date_time")
    unknown = f"<form>{PERSON}<div><label>Rückgabe</label><input name=d><input name=t></div></form>"
    requested: dict[str, str | int | float | bool | None] = {"return_date_time": "2026-12-16T17:00:00"}

    assert find_changes(typed, requested) == {"d": ["2026-12-16"], "t": ["17:00"]}
    assert find_changes(valued, requested) == {"d": ["16.12.2026"], "t": ["17:00"]}
    assert find_changes(columns, requested) == {"return_date": ["16.12.2026"], "return_date_time": ["17:00"]}
    assert find_changes(valued, {"return_date_time": None}) == {"d": [""], "t": [""]}
    assert find_changes(unknown, requested) == AMBIGUOUS
    assert form_of(valued).read_fields().values["return_date_time"] == "2026-12-15T16:00:00"
    assert form_of(valued).find_unsaved({"return_date_time": "2026-12-15T16:00:00"}) == []


LABELS = {
    "person": "Fahrername",
    "phone": "Telefon",
    "email": "E-Mail",
    "vehicle_details.vin": "VIN",
    "vehicle_details.kba": "KBA",
    "remarks": "Bemerkungen",
    "vehicle_details.engine": "Motor",
    "service_advisor": "Serviceberater",
}
NOISE = st.sampled_from(
    [
        "",
        "",
        "",
        "",
        "<input type=hidden name=h value=zz>",
        "<input name=other value=uu>",
        "<p>Hinweis</p>",
        "<span>km</span>",
        "<button>?</button>",
        "<input value=unnamed>",
        "<i class=icon></i>",
        "<label></label>",
    ]
)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A form in one of the usual layouts, with other elements between; and its fields' paths."""
    paths = draw(st.lists(st.sampled_from(sorted(LABELS)), min_size=2, max_size=5, unique=True))
    fields = [(LABELS[path], f'<input name="n_{path}" value="v_{path}"') for path in paths]

    def some() -> str:
        return draw(NOISE)

    style = draw(st.integers(0, 9))
    rows = [
        lambda name, control: f"<div>{some()}<label>{name}</label>{some()}{control}>{some()}</div>",
        lambda name, control: f"<div>{control}>{some()}<label>{name}</label>{some()}</div>",
        lambda name, control: f"<label>{name}</label>{some()}{control}>{some()}",
        lambda name, control: f"{control}>{some()}<label>{name}</label>{some()}",
        lambda name, control: f'<div><label for="{name}">{name}</label>{some()}{control} id="{name}">{some()}</div>',
        lambda name, control: f"<label>{name} {some()}{control}></label>{some()}",
        lambda name, control: f"<table><tr><td><label>{name}</label></td><td>{control}>{some()}</td></tr></table>",
        lambda name, control: f"<table><tr><td>{name}</td><td>{control}>{some()}</td></tr></table>",
        lambda name, control: f"<div><label for=x>{name}</label>{some()}{control} id=x>{some()}</div>",
    ]
    if style < len(rows):
        return f"<form>{''.join(rows[style](label, control) for label, control in fields)}</form>", paths
    heads = "".join(f"<td><label>{label}</label></td>" for label, _ in fields)
    cells = "".join(f"<td>{some()}{control}></td>" for _, control in fields)
    return f"<form><table><tr>{heads}</tr><tr>{cells}</tr></table></form>", paths


@given(layouts())
def test_no_layout_is_read_or_written_wrongly(layout: tuple[str, list[str]]) -> None:
    """Whatever stands between labels and controls: a field is its own control's, or nothing."""
    content, paths = layout
    try:
        form = form_of(content)
    except PageChanged:
        return
    values = form.read_fields().values
    for path in paths:
        assert values[path] in (None, f"v_{path}")
        try:
            plan = form.plan({path: "neu"})
        except Invalid:
            continue
        assert [form.markup.controls[index].name for index in plan.new_values] == [f"n_{path}"]


def test_tabs_are_one_page() -> None:
    """A content that is an object or a list of tabs is read in order; a tab's name is a heading."""
    first, second = (
        f"<form>{labelled_input('Telefon', 'v', '0711')}",
        f"{PERSON}{labelled_input('Telefon', 't', '0151')}</form>",
    )
    contents: list[object] = [
        {"Versicherung": first, "Kunde": second},
        {"a": {"title": "Versicherung", "content": first}, "b": {"title": "Kunde", "content": second}},
        [{"title": "Versicherung", "html": first}, {"title": "Kunde", "html": second}],
    ]
    for content in contents:
        form = Form.parse({"center": {"content": content}}, PROFILE, 1)
        values = form.read_fields().values
        assert (values["person"], values["phone"]) == ("Muster", "0151")
        assert form.serialise() == "v=0711&f%5B1%5D=Muster&t=0151"


def test_every_column_belongs_to_a_field() -> None:
    """The tables of columns name fields that there are."""
    assert set(COLUMNS) | set(CANDIDATE_COLUMNS) <= set(BY_PATH)


def test_the_doctor_names_ambiguities() -> None:
    """Repeated labels, copied ids, script-filled controls, hints; and how every other field was found."""
    markup = (
        f"<form>{labelled_input('Telefon', 'a', '1', ' id=x')}{labelled_input('Telefon', 'b', '2', ' id=x')}{labelled_input('Frist', 'f[shop_date]', '')}"
        "<h3>Kunde</h3><div><label>Fahrername</label><input name=n value=M></div><input name=damaged_areas>"
        "<div><label>KBA</label><input name=k value='' data-value='0603'></div></form>"
    )
    form = form_of(markup)
    handles, found = report_field_controls(form), report_fields(123, form)

    assert not handles.is_ok
    assert [row[:2] for row in handles.rows] == [
        ("field", "phone"),
        ("script", "k"),
        ("copied id", "x"),
        ("hint", "damage_description"),
    ]
    assert "'Telefon' (a), 'Telefon' (b)" in handles.rows[0][2]
    how = {row[0]: row[3] for row in found.rows}
    assert (how["shop_date"], how["person"]) == ("column 'shop_date'", "label 'Fahrername' under 'Kunde'")
