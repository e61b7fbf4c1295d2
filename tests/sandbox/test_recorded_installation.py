"""The sandbox replays the installation of a recording: its form and its style of saving, without its values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from selectolax.lexbor import LexborHTMLParser

from planso_connector.sandbox import Installation, RecordingError, Sandbox, SaveStyle, load_recorded_installation
from planso_connector.sandbox.form_fields import FIELDS
from planso_connector.sandbox.save_calls import build_save_calls

from ..chromium import Chromium
from ..recordings import log_in, open_order, save, work
from .browser import Browser

PRIVATE = {
    "Fahrername": "Zwetschgenberger Xaver",
    "Telefon": "0171 5550199",
    "Kunden E-Mail": "xaver@zwetschgenberger.test",
    "Firma": "Quittenhof Obstbau KG",
    "Adresshinweise": "Mirabellenweg 17\r\nbei Pfirsichmann klingeln",
    "Kennzeichen": "XQ-ZW 4711",
    "Fahrzeug": "Dacia Spring Zitrone",
    "VIN": "ZZZ11122233344455",
    "Bemerkungen": "Frau Zwetschgenberger holt ab, Telefon 0171 5550199",
    "Schadenbeschreibung": "Mirabelle auf Haube gefallen",
    "Notiz intern": "zahlt nie",
    "Gutachter": "Dr. Reneklode",
    "Schadennummer": "SN 998877/26",
    "Selbstbeteiligung": "1.357,91",
    "Termin angelegt": "13.02.2026 11:11:11",
    "Werkstattstart": "17.02.2026",
    "Kilometerstand": "135.791",
}


def recorded(chromium: Chromium, folder: Path, style: str, **installation: Any) -> tuple[Sandbox, Path]:
    """A sandbox with unique values, and a recording of a person's work on it."""
    sandbox = Sandbox(orders=6, installation=Installation(save_style=SaveStyle.from_text(style), **installation))
    for order_id in sandbox.order_ids():
        for label, value in PRIVATE.items():
            sandbox.edit_field(order_id, label, value)
    steps = ("change", "create", "delete") if installation.get("markup", "div") == "div" else ()

    def story(page: Page) -> None:
        work(page, sandbox.installation, steps=steps)
        if not steps:
            page.locator("#form textarea").first.fill("neu")
            save(page)

    with sandbox.serve() as url:
        chromium.visit(url, story, har=folder / "planso.har")
    return sandbox, folder / "planso.har"


def skeleton(markup: str) -> list[tuple[str, ...]]:
    """Labels and controls with their names, types and options, in the form's order."""
    found: list[tuple[str, ...]] = []
    for node in LexborHTMLParser(markup).css("label, legend, td, input, select, textarea, option"):
        attributes = node.attributes
        if node.tag in ("label", "legend", "td"):
            found.append((node.tag, " ".join(node.text().split()) if not node.css("select, textarea") else ""))
        elif node.tag == "option":
            found.append(("option", attributes.get("value") or "", node.text()))
        else:
            box = attributes.get("value") or "" if attributes.get("type") in ("checkbox", "radio") else ""
            found.append((node.tag or "", attributes.get("name") or "", attributes.get("type") or "", box))
    return found


def markup_of(browser: Browser, order_id: int) -> str:
    """The form's HTML."""
    content = browser.json(browser.call(order_id))["center"]["content"]
    return str(LexborHTMLParser(content).body.text() if browser.installation.escaped_markup else content)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("style", "installation"),
    [
        ("", {"field_names": 5, "labels": {"Fahrername": "Halter"}, "table_id": 25704}),
        (
            "body=json,tokens=header,token_from=cookie,token_source=XSRF-TOKEN,answer=success",
            {"escaped_markup": True, "list_shape": "list", "ids_as_text": True},
        ),
        ("body=multipart,address=own,answer=redirect,tokens=query", {"markup": "table", "plain_selects": True}),
        (
            "body=fields_json,sends=changed,parameter=daten,address=body,answer=status",
            {"markup": "busy", "iso_dates": True},
        ),
        ("body=plain,answer=form,space=+,tokens=parameter,token_from=input", {"markup": "for"}),
    ],
)
def test_form_and_style_are_the_recording_s_and_values_are_invented(
    chromium: Chromium, tmp_path: Path, style: str, installation: dict[str, Any]
) -> None:
    """Labels, names, options, table, addresses, body and tokens are equal; no page has a recorded value; saves work."""
    original, har = recorded(chromium, tmp_path, style, **installation)
    replayed = Sandbox(orders=6, installation=load_recorded_installation(har))

    wanted, actual = original.installation, replayed.installation
    assert (actual.table_id, actual.escaped_markup) == (wanted.table_id, wanted.escaped_markup)
    assert (actual.list_shape, actual.ids_as_text) == (wanted.list_shape, wanted.ids_as_text)
    for name in ("body", "sends", "answer", "space", "parameter") if style else ("body", "sends", "answer", "space"):
        assert getattr(actual.save_style, name) == getattr(wanted.save_style, name), name
    assert actual.recorded is not None
    for kind, call in build_save_calls(wanted.save_style, wanted.table_id).items():
        actual_call = actual.recorded.saves.calls[kind]
        assert (actual_call.path, dict(actual_call.query)) == (call.path, {**call.query, **call.also})
        assert (dict(actual_call.outer), {n.lower() for n in actual_call.headers}) == (
            call.outer,
            {n.lower() for n in call.headers},
        )
    with original.serve() as first, replayed.serve() as second:
        with Browser(original, first) as one, Browser(replayed, second) as other:
            one.log_in()
            other.log_in()
            assert skeleton(markup_of(other, 123)) == skeleton(markup_of(one, 123))
            pages = [other.http.get(path).text for path in ("/", "/app", "/orders/123", "/sandbox/knobs")]
            pages += [json.dumps(other.list(), ensure_ascii=False)]
            pages += [markup_of(other, order_id) for order_id in replayed.order_ids()]
        check_saves(chromium, second, replayed)
    private = {line for value in PRIVATE.values() for line in value.split("\r\n")} | {
        "Zwetschgenberger",
        "Pfirsichmann",
    }
    assert [(value, at) for value in private for at, page in enumerate(pages) if value in page] == []


def check_saves(chromium: Chromium, url: str, replayed: Sandbox) -> None:
    """Chromium submits `snapshot` for an unchanged form, and a save with one change changes one value."""
    before = replayed.values(123)

    def story(page: Page) -> None:
        log_in(page, replayed.installation)
        open_order(page, 123)
        sent = page.evaluate("opened.before.map(({name, value}) => [name, value])")
        assert [tuple(pair) for pair in sent] == replayed.snapshot(123)
        page.locator("#form textarea").first.fill("von Hand")
        save(page)

    chromium.visit(url, story)
    after = replayed.values(123)
    assert [after[label] for label in after if after[label] != before[label]] == ["von Hand"]


def har_of(content: str, tmp_path: Path) -> Path:
    """A recording of one read of a form."""
    url = "https://werkstatt.example/do?m=visual_forms_plain&tableID=7&submode=update&dataID=42"
    answer = {"content": {"text": json.dumps({"center": {"content": content}, "functions": ""})}, "status": 200}
    file = tmp_path / "form.har"
    file.write_text(json.dumps({"log": {"entries": [{"request": {"method": "POST", "url": url}, "response": answer}]}}))
    return file


def test_texts_other_than_labels_are_removed(tmp_path: Path) -> None:
    """Headings, notes, titles and data attributes can hold personal data; labels stay, tokens and ids are new."""
    content = (
        "<form><h2>Auftrag von Xaver Zwetschgenberger</h2><p>Bearbeitet von Thomas Krause</p>"
        "<input type=hidden name=rowID value=42><input type=hidden name=tok value=0123456789abcdef0123456789abcdef>"
        "<div class=field data-owner='Zwetschgenberger'><label>Kunde</label>"
        "<input name=k value='Xaver Zwetschgenberger' title='Xaver'></div>"
        "<div class=field><label>Mobil 2</label><input name=m value='0171 5550199'></div>"
        "<div class=field>Zusage bis <input name=z value='' data-date='24.12.2026'></div>"
        "<script>var kunde = 'Zwetschgenberger';</script><!-- Zwetschgenberger -->"
        "<label>Alt <input name=a value='2026-02-03'></label>"
        "<label>Ja <input type=checkbox name=c value=x checked></label>"
        "</form>"
    )
    replayed = Sandbox(orders=3, installation=load_recorded_installation(har_of(content, tmp_path)))
    with replayed.serve() as url, Browser(replayed, url) as browser:
        browser.log_in()
        markup = markup_of(browser, 123)

    for private in (
        "Xaver",
        "Zwetschgenberger",
        "Thomas",
        "Krause",
        "0171 5550199",
        "24.12.2026",
        "2026-02-03",
        "abcdef0",
    ):
        assert private not in markup
    for kept in ("<label>Kunde</label>", "<label>Mobil 2</label>", "Zusage bis", 'data-date="', 'value="x"'):
        assert kept in markup
    assert replayed.values(123)["rowID"] == "123"
    assert replayed.value(123, "Kunde") == "Jana Petersen"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"log": {"entries": [', "cut off"),
        (b"{}", "no log.entries"),
        (b'{"log": {"entries": []}}', "no order's form"),
        (b'{"log": {"entries": [{"request": 1}, null, {}]}}', "no order's form"),
        (b"\xff\xfe", "cut off"),
    ],
)
def test_an_invalid_recording_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """The error names the file and what is wrong with it."""
    file = tmp_path / "x.har"
    file.write_bytes(content)

    with pytest.raises(RecordingError, match=rf"x\.har .*{reason}"):
        load_recorded_installation(file)


def test_a_missing_or_huge_recording_is_refused(tmp_path: Path) -> None:
    """Over 256 MB it is not read."""
    file = tmp_path / "x.har"
    with pytest.raises(RecordingError, match="can't be read"):
        load_recorded_installation(file)
    with file.open("wb") as huge:
        huge.truncate(256 * 1024 * 1024 + 1)
    with pytest.raises(RecordingError, match="larger than 256 MB"):
        load_recorded_installation(file)


def test_the_private_values_belong_to_fields_of_the_form() -> None:
    """Else the search for them would prove nothing."""
    assert PRIVATE.keys() <= FIELDS.keys()
