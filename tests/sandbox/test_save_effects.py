"""Effects of saves on values (protocol, section 10), one knob at a time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from planso_connector.sandbox import Knobs, SaveStyle
from tests.service import wait_until

from .browser import Browser, replace_value
from .conftest import Open
from .style_requests import send

Differences = dict[str, tuple[str, str]]


def save_and_compare(browser: Browser, label: str | None = None, value: str = "", **knobs: Any) -> Differences:
    """Save with these knobs; returns the values before and after by label, where they differ."""
    browser.http.post("/sandbox/knobs", json=knobs).raise_for_status()
    before = browser.sandbox.values(123)
    pairs = browser.pairs(123) if label is None else replace_value(browser.pairs(123), browser.name(label), value)
    assert browser.save(123, pairs)["saved"] == 1
    after = browser.sandbox.values(123)
    return {name: (before[name], after.get(name, "")) for name in before if before[name] != after.get(name)}


def test_only_the_first_pairs_are_parsed_and_the_rest_is_blanked(browser: Browser) -> None:
    """`take_pairs`: late labels are lost, early ones not; with changed controls only, nothing is blanked."""
    lost = save_and_compare(browser, take_pairs=20)

    assert {"Werkstattstart", "Projekt-Status", "Sollstunden Karo"} <= lost.keys()
    assert all(after in ("", "0") for _, after in lost.values())
    assert browser.sandbox.value(123, "Fahrername") == "Jana Petersen"
    style = browser.sandbox.knobs.save_style = SaveStyle(sends="changed")
    name = browser.name("Telefon")
    send(browser, style, 123, [(name, "1"), *((browser.name("VIN"), "x") for _ in range(20))], "update")
    assert browser.sandbox.value(123, "Fahrername") == "Jana Petersen"


def test_each_save_empties_labels(browser: Browser) -> None:
    """`lose_on_save`, whether they were changed or not; other labels stay."""
    assert save_and_compare(browser, lose_on_save=["Telefon", "Projekt-Status"]) == {
        "Telefon": ("0171 39200 23", ""),
        "Projekt-Status": ("75", ""),
    }


def test_values_shift_by_one_control(browser: Browser) -> None:
    """`shift_values`: from a label on each text input gets the value of the one before it; earlier ones stay."""
    before = browser.sandbox.values(123)
    moved = save_and_compare(browser, shift_values="VIN")

    assert moved["VIN"] == (before["VIN"], "")
    assert browser.sandbox.value(123, "KBA") == before["VIN"]
    assert browser.sandbox.value(123, "Kilometerstand") == before["KBA"]
    assert "Kennzeichen" not in moved


@pytest.mark.parametrize(("how", "kept"), [("mojibake", "GrÃ¶Ã\x9fe"), ("question", "Gr??e")])
def test_umlauts_are_garbled(browser: Browser, how: str, kept: str) -> None:
    """`garble_encoding` affects every submitted text, changed or not."""
    browser.sandbox.edit_field(123, "Firma", "Größe")

    assert save_and_compare(browser, "Telefon", "1", garble_encoding=how)["Firma"] == ("Größe", kept)


def test_a_form_is_blank_for_a_while_after_a_save(browser: Browser) -> None:
    """`blank_after_save` counts the order's reads; other orders are unaffected, and the stored values are right."""
    other = next(order for order in browser.sandbox.order_ids() if order != 123)
    save_and_compare(browser, "Telefon", "neu", blank_after_save=2)

    name = browser.name("Telefon")
    assert dict(browser.pairs(123))[name] == ""
    assert browser.pairs(other) == browser.sandbox.snapshot(other)
    assert [dict(browser.pairs(123))[name] for _ in range(2)] == ["", "neu"]
    save_and_compare(browser, blank_after_save=0, blank_seconds_after_save=600)
    assert browser.pairs(123) == browser.pairs("", "insert")


@pytest.mark.parametrize(
    ("how", "label", "given", "kept"),
    [
        ("plate", "Kennzeichen", "wn-ae  2310 e", "WN-AE 2310 E"),
        ("phone", "Telefon", "0171/392 00-24", "+49 171 3920024"),
        ("phone", "Telefon", "+49 (0)171 39200 24", "+49 171 3920024"),
        ("phone", "Telefon", "abends 0171", "abends 0171"),
        ("email", "Kunden E-Mail", "Jana@Example.DE", "jana@example.de"),
        ("blanks", "Bemerkungen", " ruft  an \r\n  bald ", "ruft an \r\n bald"),
        ("decimals", "Sollstunden Karo", "11.30", "11,30"),
        ("decimals", "Sollstunden Karo", "1.234", "1.234"),
        ("round", "Sollstunden Karo", "1,005", "1,01"),
        ("round", "Sollstunden Karo", "1.234,567", "1.234,57"),
        ("round", "Selbstbeteiligung", "300", "300,00"),
        ("date_only", "Werkstattstart", "30.11.2026 08:00:00", "30.11.2026"),
        ("date_time", "Werkstattstart", "30.11.2026", "30.11.2026 00:00:00"),
    ],
)
def test_submitted_values_are_normalised(browser: Browser, how: str, label: str, given: str, kept: str) -> None:
    """`normalise` stores the same value in another notation."""
    save_and_compare(browser, label, given, normalise=[how])

    assert browser.sandbox.value(123, label) == kept


def test_normalisation_affects_unchanged_values(browser: Browser) -> None:
    """All values of a whole form are normalised."""
    browser.sandbox.edit_field(123, "Kennzeichen", "wn-ae 1")

    assert save_and_compare(browser, "Bemerkungen", "x", normalise=["plate"])["Kennzeichen"] == ("wn-ae 1", "WN-AE 1")


@pytest.mark.parametrize(
    ("knobs", "label", "given", "kept"),
    [
        ({"cut_at_emoji": True}, "Bemerkungen", "gut 😀 und mehr", "gut "),
        ({"cut_text": 5}, "Bemerkungen", "123456789", "12345"),
        ({"cap_number": 99.5}, "Sollstunden Karo", "1.234,5", "99,5"),
        ({"cap_number": 99.5}, "Sollstunden Karo", "98,5", "98,5"),
        ({"select_jumps": True}, "Projekt-Status", "77", "Anfrage"),
    ],
)
def test_a_changed_value_is_stored_differently(
    browser: Browser, knobs: dict[str, Any], label: str, given: str, kept: str
) -> None:
    """Cut, capped or replaced: only changed values."""
    browser.sandbox.edit_field(123, "Firma", "😀 Langer Name")

    assert save_and_compare(browser, label, given, **knobs).keys() == {label}
    assert browser.sandbox.value(123, label) == kept


def test_derived_fields_follow(browser: Browser) -> None:
    """`derive`: the model follows the make, the week the date, the holder the driver, where that was changed."""
    assert save_and_compare(browser, "Telefon", "1", derive=["model_emptied", "week", "copy"]).keys() == {"Telefon"}
    assert save_and_compare(browser, "Hersteller", "2") == {"Hersteller": ("58", "2"), "Modell": ("5802", "0")}
    assert save_and_compare(browser, "Werkstattstart", "07.12.2026")["KW"] == ("49", "50")
    assert save_and_compare(browser, "Fahrername", "Ute Weiß")["Halter"] == ("Jana Petersen", "Ute Weiß")
    assert save_and_compare(browser, "Hersteller", "14", derive=["model_first"])["Modell"] == ("0", "1401")


def test_hidden_inputs_differ_at_each_read(browser: Browser) -> None:
    """`change_per_read`: two reads differ in two hidden inputs, and a save with old ones is accepted."""
    browser.sandbox.knobs.change_per_read = True
    first, second = browser.pairs(123), browser.pairs(123)

    assert {a[0] for a, b in zip(first, second, strict=True) if a != b} == {"form_age", "geaendert_von"}
    assert browser.save(123, first)["saved"] == 1


def test_child_rows_get_new_names_with_each_save(browser: Browser) -> None:
    """`child_rows`: texts and amounts stay, names change; a new row is added, one that is not submitted is removed."""
    browser.sandbox.knobs.child_rows = 2

    def cells() -> list[tuple[str, str]]:
        return [pair for pair in browser.pairs(123) if pair[0].startswith("pos[")]

    before = cells()
    browser.save(123, browser.pairs(123))
    after = cells()
    assert [value for _, value in before] == [value for _, value in after]
    assert not {name for name, _ in before if "new" not in name} & {name for name, _ in after}
    grown = replace_value(replace_value(browser.pairs(123), "pos[new_1][text]", "neu"), "pos[new_1][menge]", "3")
    browser.save(123, [pair for pair in grown if pair[0] not in (after[0][0], after[1][0])])
    assert [value for _, value in cells()] == [value for _, value in after[2:4]] + ["neu", "3", "", ""]
    assert browser.pairs(123) == browser.sandbox.snapshot(123)


@pytest.mark.parametrize("by", ["data", "functions"])
def test_controls_can_be_filled_by_script(browser: Browser, by: str) -> None:
    """`script_filled`: the value in the markup is empty; `snapshot` has the one that the script fills in."""
    told = {"script_filled": ["Werkstattstart", "Bemerkungen"], "script_filled_by": by}
    browser.http.post("/sandbox/knobs", json=told).raise_for_status()
    name, answer = browser.name("Werkstattstart"), browser.json(browser.call(123))
    markup, functions = answer["center"]["content"], answer["functions"]

    assert dict(browser.pairs(123))[name] == ""
    assert dict(browser.sandbox.snapshot(123))[name] == "30.11.2026"
    assert ('data-date="30.11.2026"' in markup) == (by == "data")
    assert (f'$(\'[name="{name}"]\').val("30.11.2026");' in functions) == (by == "functions")


def test_labels_can_occur_twice(browser: Browser) -> None:
    """`twin_labels`: the insurer's block has own controls and values with the same captions, last or first."""
    browser.sandbox.knobs.set_json({"twin_labels": ["Telefon", "Kunden E-Mail"], "twin_first": True})
    labels = [node.text() for node in browser.form(123).css("label")]

    assert labels[:2] == ["Telefon", "Kunden E-Mail"]
    assert labels.count("Telefon") == 2
    pairs = [pair if "66969" not in pair[1] else (pair[0], "0800") for pair in browser.pairs(123)]
    browser.save(123, pairs)
    assert browser.sandbox.value(123, "Versicherung: Telefon") == "0800"
    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"


@pytest.mark.parametrize(
    ("how", "status", "text"),
    [
        ("login_page", 200, "system_login_username"),
        ("redirect_app", 302, ""),
        ("429", 429, "429"),
        ("425", 425, "425"),
        ("refuse", 200, '"error"'),
        ("403", 403, "403"),
        ("html", 200, "Wartung"),
    ],
)
def test_an_applied_save_can_be_answered_as_if_it_were_not(browser: Browser, how: str, status: int, text: str) -> None:
    """`applied_but`: the next save is applied without a success; the one after is answered as usual."""
    browser.sandbox.knobs.set_json({"applied_but": how, "applied_but_next": 1})
    name = browser.name("Telefon")

    answer = browser.call(123, fields=replace_value(browser.pairs(123), name, "neu"))

    assert (answer.status_code, text in answer.text) == (status, True)
    assert browser.sandbox.value(123, "Telefon") == "neu"
    assert browser.change(123, "Telefon", "2")["saved"] == 1


def test_a_deleted_order_s_id_can_be_given_to_another(browser: Browser) -> None:
    """By the tools; an id in use is refused."""
    made = {"id": 123, "Fahrername": "Fremde Frau", "Kennzeichen": "HH-X 1"}
    assert browser.http.post("/sandbox/orders", json=made).status_code == 400

    assert browser.http.delete("/sandbox/orders/123").status_code == 204
    assert browser.http.post("/sandbox/orders", json=made).json()["id"] == 123

    assert dict(browser.pairs(123))[browser.name("Fahrername")] == "Fremde Frau"
    assert browser.sandbox.value(123, "Bemerkungen") == ""
    assert 123 in browser.sandbox.order_ids()


def test_a_second_login_ends_the_first(open_browser: Open) -> None:
    """`one_session_per_account`: the first session gets the login page, the second works."""
    first = open_browser()
    first.sandbox.knobs.one_session_per_account = True
    second = open_browser(first.sandbox)

    assert "system_login_username" in first.call(123).text
    assert second.pairs(123)


@pytest.mark.parametrize("locks", [True, False])
def test_requests_of_one_session_can_wait_for_each_other(open_browser: Open, locks: bool) -> None:
    """`session_lock`: a slow save delays the session's next read, and not that of another session."""
    first = open_browser()
    second = open_browser(first.sandbox)
    sandbox, pairs = first.sandbox, first.pairs(123)
    sandbox.knobs.session_lock, sandbox.knobs.save_latency = locks, 0.8
    sandbox.forget_requests()
    with ThreadPoolExecutor(2) as pool:
        save = pool.submit(first.save, 123, pairs)
        wait_until(lambda: sandbox.in_flight, "the save to wait")
        mine = pool.submit(first.call, 124)
        second.call(125)
        save.result()
        mine.result()

    ended = [entry.order_id for entry in sandbox.requests]
    assert ended.index(125) < ended.index(123)
    assert (ended.index(124) > ended.index(123)) == locks


def test_every_knob_has_a_description_and_refuses_invalid_values(browser: Browser) -> None:
    """An unknown word, a label that the form doesn't have, a wrong type: 400 that names the knob."""
    assert browser.http.get("/sandbox/knobs/meanings").json().keys() == Knobs().as_json().keys()
    wrong: list[dict[str, Any]] = [
        {"normalise": ["plates"]},
        {"derive": "week"},
        {"applied_but": "418"},
        {"garble_encoding": None},
        {"lose_on_save": ["Gibt es nicht"]},
        {"script_filled": ["Gibt es nicht"]},
        {"shift_values": "Gibt es nicht"},
        {"twin_labels": [1]},
        {"take_pairs": -1},
        {"cut_text": "5"},
        {"cap_number": True},
        {"select_jumps": 1},
        {"session_lock": "yes"},
        {"child_rows": 1.5},
    ]
    for body in wrong:
        answer = browser.http.post("/sandbox/knobs", json=body)
        assert (answer.status_code, next(iter(body)) in answer.json()["error"]) == (400, True), body
    assert browser.sandbox.knobs == Knobs()
