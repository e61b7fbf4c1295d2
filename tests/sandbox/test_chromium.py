"""A real browser on the sandbox's pages: it saves in every style, and submits what `snapshot` returns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from planso_connector.sandbox import Installation, Sandbox, Sandboxes, SaveStyle

from ..chromium import Chromium
from ..recordings import Recording, control, log_in, open_order, save

STYLES = (
    "body=fields,space=+",
    "body=plain,sends=changed,address=own,answer=status,tokens=parameter,token_from=input",
    "body=json,tokens=header,answer=success",
    "body=fields_json,sends=changed,tokens=form/query,answer=empty,line_break=lf,parameter=daten",
    "body=fields_json_pairs,address=body,answer=redirect,tokens=header,token_from=cookie,token_source=XSRF-TOKEN",
    "body=multipart,tokens=parameter,answer=form,token_from=member,token_source=geheim",
)
TEXT = "1 + 1 = 2 & „Größe“ 100 %\nzweite  Zeile 😀 <b>"


@pytest.mark.parametrize("style", STYLES)
def test_a_person_saves_creates_and_deletes_in_a_browser(chromium: Chromium, style: str) -> None:
    """
    Order 123 differs in exactly the changed controls, a new order has the entered values, a deleted one is gone, and a
    refusal is shown.
    """
    sandbox = Sandbox(orders=8, installation=Installation(save_style=SaveStyle.from_text(style)))
    sandbox.edit_field(123, "Abtretung unterschrieben", "1")
    sandbox.edit_field(123, "Kostenträger", "Haftpflicht")
    before = sandbox.values(123)

    def story(page: Page) -> int:
        log_in(page, sandbox.installation)
        open_order(page, 123)
        control(page, "Bemerkungen").fill(TEXT)
        control(page, "Projekt-Status").select_option(label="Endkontrolle")
        control(page, "Gewerke").select_option(label=["Lack", "Glas"])
        control(page, "Abtretung unterschrieben").uncheck()
        page.check("[type=radio][value='2']")
        save(page)
        page.click("#new")
        page.wait_for_selector("#editor[data-open=''] form")
        control(page, "Kennzeichen").fill("WN-N 77")
        save(page)
        made = int(page.get_attribute("#editor", "data-open") or "")
        assert (sandbox.value(made, "Kennzeichen"), sandbox.value(made, "Bemerkungen")) == ("WN-N 77", "")
        page.click("#delete")
        page.wait_for_selector("#result[data-state='deleted']")
        open_order(page, 123)
        sandbox.knobs.refuse_saves = "Pflichtfeld fehlt"
        control(page, "Bemerkungen").fill("nie")
        assert save(page, "refused") == "Pflichtfeld fehlt"
        return made

    with sandbox.serve() as url:
        made = chromium.visit(url, story)

    after, line_break = sandbox.values(123), "\n" if "lf" in style else "\r\n"
    assert {label: after[label] for label in after if after[label] != before[label]} == {
        "Bemerkungen": TEXT.replace("\n", line_break),
        "Projekt-Status": "77",
        "Gewerke": "92,95",
        "Abtretung unterschrieben": "",
        "Kostenträger": "2",
    }
    assert made not in sandbox.order_ids()


FORMS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"markup": "div"}, {"child_rows": 2, "derive": ["week", "copy"], "twin_labels": ["Telefon"]}),
    ({"markup": "table", "plain_selects": True}, {"script_filled": ["Werkstattstart", "Bemerkungen", "VIN"]}),
    (
        {"markup": "for", "escaped_markup": True},
        {"script_filled": ["Telefon", "Kategorie"], "script_filled_by": "functions"},
    ),
    ({"markup": "wrapped", "iso_dates": True}, {}),
    ({"markup": "busy"}, {"change_per_read": True}),
)


@pytest.mark.parametrize(("installation", "knobs"), FORMS)
def test_chromium_submits_snapshot_for_an_unchanged_form(
    chromium: Chromium, installation: dict[str, Any], knobs: dict[str, Any]
) -> None:
    """For unusual orders too, in every markup, after the scripts filled controls; saving changes nothing."""
    sandbox = Sandbox(orders=16, installation=Installation(**installation))
    sandbox.knobs.set_json(knobs)

    def story(page: Page) -> None:
        log_in(page, sandbox.installation)
        for order_id in sandbox.order_ids()[:14]:
            open_order(page, order_id)
            sent = page.evaluate("opened.before.map(({name, value}) => [name, value])")
            assert [tuple(pair) for pair in sent] == sandbox.snapshot(order_id)
        before = sandbox.values(order_id)
        save(page)
        after = sandbox.values(order_id)
        ours = {name for name in before if not name.startswith(("pos[", "form_age", "geaendert"))}
        assert {name: after[name] for name in ours} == {name: before[name] for name in ours}

    with sandbox.serve() as url:
        chromium.visit(url, story)


def test_an_order_s_page_asks_for_a_login_and_then_edits(chromium: Chromium) -> None:
    """`/orders/123`: without a session a link to the login; with one the form, with the token fetched from `/app`."""
    style = SaveStyle(body="plain", tokens=("header",))
    sandbox = Sandbox(orders=3, installation=Installation(save_style=style))

    def story(page: Page) -> None:
        page.goto("/orders/123")
        page.click("#form a[href='/app']")
        page.fill("#system_login_password", "falsch")
        page.click("#ps_system_login")
        assert "falsch" in page.inner_text(".alert")
        log_in(page, sandbox.installation)
        page.goto("/orders/123")
        page.wait_for_selector("#editor[data-open='123'] form")
        control(page, "Telefon").fill("030 23125 001")
        save(page)

    with sandbox.serve() as url:
        chromium.visit(url, story)

    assert sandbox.value(123, "Telefon") == "030 23125 001"


def test_a_browser_works_below_a_path(chromium: Chromium) -> None:
    """Login, board, a save, the order's page, a new order and the way back stay in one workshop of two."""
    style = SaveStyle(body="plain", tokens=("header",), answer="redirect", token_from="cookie", token_source="XSRF")
    sandboxes = Sandboxes(2, orders=8, installation=Installation(save_style=style, login_redirects=True))
    sandbox = sandboxes["w002"]

    def story(page: Page) -> None:
        page.goto("orders/123")
        page.click("#form a")
        log_in(page, sandbox.installation)
        open_order(page, 123)
        control(page, "Telefon").fill("030 23125 001")
        save(page)
        page.click("#new")
        page.wait_for_selector("#editor[data-open=''] form")
        save(page)
        page.goto("orders/123")
        page.wait_for_selector("#editor[data-open='123'] form")
        control(page, "Bemerkungen").fill("ruft an")
        save(page)
        page.click("a:text('zum Board')")
        page.click("a.card >> nth=0")
        page.click("a:text('zum Board')")
        page.click("text=Anmelden und")
        page.click("text=Abmelden")
        assert page.url.endswith("/w/w002/do?m=logout")

    with sandboxes.serve() as url:
        chromium.visit(f"{url}{sandboxes.path('w002')}/", story)

    assert (sandbox.value(123, "Telefon"), sandbox.value(123, "Bemerkungen")) == ("030 23125 001", "ruft an")
    assert len(sandbox.order_ids()) == 9
    assert sandbox.sessions[0].end == "logged_out"
    assert list(sandboxes.opened) == ["w002"]


def test_a_recording_holds_login_list_form_save_create_and_delete(recording: Recording) -> None:
    """The HAR has each request with its body and each response with its text, redirects included."""
    entries = json.loads(recording("body=multipart,answer=redirect").read_text("utf-8"))["log"]["entries"]
    calls = [entry for entry in entries if "/do" in entry["request"]["url"]]
    saves = [entry for entry in calls if "postData" in entry["request"]]

    assert [entry["request"]["method"] for entry in entries[:2]] == ["GET", "POST"]
    assert "system_login_username" in entries[1]["request"]["postData"]["text"]
    assert any("get_project_stations" in entry["request"]["url"] for entry in calls)
    assert [entry["response"]["status"] for entry in saves] == [302, 302]
    assert all('name="rowID"' in entry["request"]["postData"]["text"] for entry in saves)
    assert any("submode=delete" in entry["request"]["url"] for entry in calls)
    assert all(entry["response"]["content"]["text"] for entry in calls if entry["response"]["status"] == 200)
