"""Reading, saving, creating and deleting by the form (protocol, sections 3 and 6)."""

import itertools

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.form_fields import FIELDS

from .browser import Browser, replace_value
from .conftest import Open

MARKUPS = ("div", "table", "for", "wrapped", "busy")


@pytest.mark.parametrize(("markup", "escaped"), list(itertools.product(MARKUPS, (False, True))))
def test_a_form_sent_back_unchanged_changes_nothing(open_browser: Open, markup: str, escaped: bool) -> None:
    """In every markup the browser reads the stored values of every order, and submitting them changes no byte."""
    browser = open_browser(markup=markup, escaped_markup=escaped)
    for order_id in browser.sandbox.order_ids():
        snapshot, values = browser.sandbox.snapshot(order_id), browser.sandbox.values(order_id)

        pairs = browser.pairs(order_id)

        assert pairs == snapshot
        assert browser.save(order_id, pairs)["saved"] == 1
        assert browser.sandbox.snapshot(order_id) == snapshot
        assert browser.sandbox.values(order_id) == values


def test_umlauts_survive_an_undeclared_charset(open_browser: Open) -> None:
    """In ISO-8859-1 without a charset the form is read and saved unchanged, other characters included."""
    browser = open_browser(charset="iso-8859-1-undeclared")
    browser.sandbox.edit_field(123, "Fahrername", "Łucja Groß-Ünal € 😀")
    snapshot = browser.sandbox.snapshot(123)

    response = browser.call(123)

    assert response.headers["content-type"] == "application/json"
    assert "Schließen".encode("iso-8859-1") in response.content
    assert browser.pairs(123) == snapshot
    browser.save(123, browser.pairs(123))
    assert browser.sandbox.snapshot(123) == snapshot


def test_a_control_that_is_not_submitted_is_cleared(browser: Browser) -> None:
    """PlanSo treats what is submitted as the whole form."""
    names = {browser.name(label) for label in ("Bemerkungen", "Hersteller")}

    browser.save(123, [pair for pair in browser.pairs(123) if pair[0] not in names])

    assert browser.sandbox.value(123, "Bemerkungen") == ""
    assert browser.sandbox.value(123, "Hersteller") == ""
    assert browser.sandbox.values(123)["Hersteller"] == "0"
    assert browser.sandbox.value(123, "Fahrername") == "Jana Petersen"


def test_disabled_controls_are_not_submitted(browser: Browser) -> None:
    """The locked Auftragsnummer is shown, never submitted and never cleared."""
    number = browser.sandbox.value(123, "Auftragsnummer")

    browser.change(123, "Telefon", "030 23125 001")

    assert number
    assert browser.sandbox.value(123, "Auftragsnummer") == number
    assert browser.name("Auftragsnummer") not in dict(browser.pairs(123))


def test_a_select_refuses_a_value_that_it_does_not_offer(browser: Browser) -> None:
    """A text instead of an id is refused in German, and nothing of the save is stored."""
    before = browser.sandbox.snapshot(123)
    pairs = replace_value(browser.pairs(123), browser.name("Telefon"), "anders")

    answer = browser.save(123, replace_value(pairs, browser.name("Hersteller"), "Trabant"))

    assert "steht nicht zur Auswahl" in answer["error"]
    assert browser.sandbox.snapshot(123) == before


def test_a_save_without_the_hidden_row_is_refused(browser: Browser) -> None:
    """`rowID` must be submitted."""
    before = browser.sandbox.snapshot(123)

    answer = browser.save(123, [pair for pair in browser.pairs(123) if pair[0] != "rowID"])

    assert answer["error"]
    assert browser.sandbox.snapshot(123) == before


def test_a_checkbox_overrides_its_hidden_zero(open_browser: Open) -> None:
    """PHP takes the last value of a name: "0" then "1" is checked, "0" alone is not."""
    browser = open_browser(hidden_zero={"Alle Fahrzeugdaten"})
    browser.sandbox.edit_field(123, "Alle Fahrzeugdaten", "1")
    name, pairs = browser.name("Alle Fahrzeugdaten"), browser.pairs(123)
    assert [value for key, value in pairs if key == name] == ["0", "1"]

    browser.save(123, [pair for pair in pairs if pair != (name, "1")])

    assert browser.sandbox.value(123, "Alle Fahrzeugdaten") == ""


def test_a_multi_select_submits_a_pair_per_choice(browser: Browser) -> None:
    """Without a choice it submits none."""
    browser.sandbox.edit_field(123, "Gewerke", "Karosserie, Lack")
    name = browser.name("Gewerke")
    assert [value for key, value in browser.pairs(123) if key == name] == ["91", "92"]

    browser.save(123, [pair for pair in browser.pairs(123) if pair[0] != name])

    assert browser.sandbox.value(123, "Gewerke") == ""


def test_an_unknown_order_has_the_empty_form(browser: Browser) -> None:
    """Reading an unknown id is the same as reading for an insert: all labels, no values."""
    assert browser.pairs(999_999) == browser.pairs("", "insert")
    assert not [value for name, value in browser.pairs(999_999) if name.startswith("f_") and value not in ("", "0")]
    assert browser.save(999_999, browser.pairs(999_999))["error"]


def test_a_new_order_gets_an_id_and_is_on_the_board(browser: Browser) -> None:
    """An insert answers `dataID`; the order is at the station Kalkulation with its plate and name."""
    empty = browser.pairs("", "insert")
    pairs = replace_value(
        replace_value(empty, browser.name("Kennzeichen"), "S-AB 12"), browser.name("Fahrername"), "Ute Weiß"
    )

    order_id = browser.save("", pairs, "insert")["dataID"]

    entry = next(e for e in browser.list().values() if isinstance(e, dict) and e.get("ID") == order_id)
    assert (entry["short_name"], entry["station"]) == ("S-AB 12 Weiß", "1@active")
    assert browser.pairs(order_id) == browser.sandbox.snapshot(order_id)
    assert browser.sandbox.value(order_id, "Fahrername") == "Ute Weiß"


def test_a_deleted_order_has_neither_a_board_entry_nor_a_form(browser: Browser) -> None:
    """After `submode=delete` its form is that of an unknown order."""
    assert browser.json(browser.call(123, "delete"))["deleted"] == 1

    assert 123 not in browser.sandbox.order_ids()
    assert browser.pairs(123) == browser.pairs("", "insert")


def test_names_differ_between_installations_and_labels_can_be_renamed(open_browser: Open) -> None:
    """Another seed changes every `name`; the sandbox's methods take a renamed label and the usual one."""
    usual = open_browser()
    other = open_browser(field_names=7, labels={"Fahrername": "Halter"}, missing_labels={"Kunden E-Mail"})

    assert not {n for n, _ in usual.pairs(123)[3:]} & {n for n, _ in other.pairs(123)[3:]}
    assert other.name("Halter")
    assert other.sandbox.value(123, "Halter") == other.sandbox.value(123, "Fahrername") == "Jana Petersen"
    assert "Kunden E-Mail" not in other.call(123).text


def test_a_missing_label_is_not_cleared_by_a_save(browser: Browser) -> None:
    """A field that is not in the form keeps its value."""
    browser.sandbox.knobs.missing_labels = {"Telefon"}
    browser.save(123, browser.pairs(123))
    browser.sandbox.knobs.missing_labels = set()

    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"


def test_selects_can_be_text_inputs(open_browser: Open) -> None:
    """With `plain_selects` the damage class is typed, not chosen."""
    browser = open_browser(plain_selects=True)

    browser.change(123, "Kategorie", "KL 2-3 (neu)")

    assert browser.sandbox.value(123, "Kategorie") == "KL 2-3 (neu)"


def test_dates_can_be_iso(open_browser: Open) -> None:
    """With `iso_dates` date fields hold `2026-11-30`."""
    assert open_browser(iso_dates=True).sandbox.value(123, "Werkstattstart") == "2026-11-30"


def test_the_form_of_another_table_is_empty(open_browser: Open) -> None:
    """A save to another tableID is refused."""
    browser = open_browser(table_id=777)
    path = "/do?m=visual_forms_plain&tableID=12565&submode=update&dataID=123"

    assert browser.http.post(path).json()["center"]["content"] == ""
    assert browser.http.post(path, data={"fields": "rowID=1"}).json()["error"]


def test_the_form_has_every_label_of_the_protocol() -> None:
    """No field of sections 3 and 7 is missing from the form (Halter, Telefonnummer and E-Mail are other names)."""
    named = (
        "Fahrername Telefon Kunden_E-Mail Kategorie Projekt-Status Werkstattstart Fahrzeugeingang_(Soll) "
        "Fahrzeugeingang_(Ist) Termin_Fertigstellung Plan_Auslieferung E-Teile_Status Sollstunden_Karo "
        "Sollstunden_Lack Sollstunden_Mech Kennzeichen Fahrzeug VIN KBA Farbe_Nummer Farbton Kilometerstand "
        "Klasse Leasing/Flotte Hersteller Modell Erstzulassung Letzte_Zulassung HU/AU Motor Hubraum Leistung Motorcode "
        "Leergewicht Gesamtgewicht Alle_Fahrzeugdaten Kundenkategorie Termin_angelegt Serviceberater "
        "Hol-/Bringservice Bemerkungen "
        "Teile_Liefertermin Lackiertermin Werkstatt_zurück Besichtigung Reparatur_von Reparatur_bis Rückgabe "
        "Schadenbeschreibung Werkstattverteilung Externe_Kalkulation ExpressLink E-Teile_benötigt Terminart "
        "Mietwagen_Selbstbeteiligung Mietwagen_Typ Mietwagen_Motor Mietwagen_Getriebe Mietwagen_Navi "
        "Mietwagen_Bluetooth Mietwagen_Anhängerkupplung Mietwagen_Isofix Externe_Kalkulation_erledigt Gutachter "
        "Rechnung_aktivieren Selbstbeteiligung Abholort Entfernung Abholfirma Adresshinweise Fahrzeugklasse Reklamation"
    )
    assert {label.replace("_", " ") for label in named.split()} <= FIELDS.keys()


def test_an_edit_by_another_person_shows_in_the_next_read(browser: Browser) -> None:
    """`edit_field` takes a select's text, and raises for what is not offered or not there."""
    browser.sandbox.edit_field(123, "Hersteller", "Audi")

    assert dict(browser.pairs(123))[browser.name("Hersteller")] == "2"
    with pytest.raises(ValueError, match="does not offer"):
        browser.sandbox.edit_field(123, "Hersteller", "Trabant")
    with pytest.raises(KeyError):
        browser.sandbox.edit_field(123, "Gibt es nicht", "x")
    with pytest.raises(KeyError):
        Sandbox(orders=3).value(5, "Telefon")
