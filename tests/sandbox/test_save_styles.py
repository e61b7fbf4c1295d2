"""A save in the installation's style is accepted, and one in any other style is refused."""

import re
from dataclasses import replace
from typing import Any, get_args

import httpx2
import pytest

from planso_connector.sandbox import SaveStyle, StyleError
from planso_connector.sandbox.save_style import Address, Body, TokenSource

from .browser import Browser, Pairs, replace_value
from .style_requests import ANSWERS, BODIES, send

NASTY = "Zeile 1\r\n„Größe“ + 50 % = ½ & <b>\t'x' 😀"


def change_pairs(browser: Browser, label: str = "Bemerkungen", value: str = NASTY) -> tuple[Pairs, str]:
    """The pairs of order 123 with one field changed, and the field's name."""
    name = browser.name(label)
    return replace_value(browser.pairs(123), name, value), name


@pytest.mark.parametrize("address", get_args(Address))
@pytest.mark.parametrize("body", BODIES)
def test_a_form_in_the_installation_s_style_is_saved(browser: Browser, body: Body, address: Address) -> None:
    """Each body with each address: an update stores every pair, an insert creates an order, a delete deletes it."""
    style = browser.sandbox.knobs.save_style = SaveStyle(body=body, address=address)
    pairs, _ = change_pairs(browser)

    assert browser.json(send(browser, style, 123, pairs, "update"))["saved"] == 1
    assert browser.sandbox.snapshot(123) == browser.pairs(123) == pairs
    empty = replace_value(browser.pairs("", "insert"), browser.name("Fahrername"), "Neu")
    made = browser.json(send(browser, style, "", empty, "insert"))["dataID"]
    assert browser.sandbox.value(made, "Fahrername") == "Neu"
    assert browser.json(send(browser, style, made, None, "delete"))["deleted"] == 1
    assert made not in browser.sandbox.order_ids()


@pytest.mark.parametrize("body", BODIES)
def test_a_form_in_another_style_is_refused(browser: Browser, body: Body) -> None:
    """Other bodies, parameters and addresses change nothing."""
    style = browser.sandbox.knobs.save_style = SaveStyle(body=body)
    pairs, _ = change_pairs(browser)
    before = browser.sandbox.snapshot(123)
    others = [replace(style, body=other) for other in get_args(Body) if other != body]
    others += [replace(style, address="body"), replace(style, address="own")]
    if body.startswith("fields"):
        others.append(replace(style, parameter="daten"))

    for other in others:
        assert browser.json(send(browser, other, 123, pairs, "update")).get("error"), other
    assert browser.sandbox.snapshot(123) == before


@pytest.mark.parametrize("body", BODIES)
def test_with_changed_controls_only_the_rest_stays(browser: Browser, body: Body) -> None:
    """Two names change, another person's edit stays; an empty value unchecks a box."""
    style = browser.sandbox.knobs.save_style = SaveStyle(body=body, sends="changed")
    name, box = browser.name("Bemerkungen"), browser.name("Datenschutz bestätigt")
    browser.sandbox.edit_field(123, "Datenschutz bestätigt", "1")
    browser.sandbox.edit_field(123, "Telefon", "dazwischen")
    before = dict(browser.sandbox.values(123))

    answer = send(browser, style, 123, [(name, NASTY), (box, "")], "update")

    assert browser.json(answer)["saved"] == 1
    assert browser.sandbox.values(123) == before | {"Bemerkungen": NASTY, "Datenschutz bestätigt": ""}
    made = browser.json(send(browser, style, "", [(name, "nur dies")], "insert"))["dataID"]
    assert browser.sandbox.value(made, "Bemerkungen") == "nur dies"
    assert browser.sandbox.value(made, "Kundenkategorie") == ""


def token_in(browser: Browser, source: str) -> str:
    """The session's token, from where a browser finds it."""
    if source == "member":
        return str(browser.json(browser.call(123))["geheim"])
    page = browser.http.get("/app").text
    if source == "cookie":
        return str(browser.http.cookies["geheim"])
    (token,) = re.findall(r'<(?:meta|input type="hidden") name="geheim" (?:content|value)="(\w+)">', page)
    return str(token)


@pytest.mark.parametrize("source", get_args(TokenSource))
@pytest.mark.parametrize("place", ["header", "parameter", "query"])
@pytest.mark.parametrize("body", ["fields", "json", "multipart"])
def test_the_session_s_token_is_required(browser: Browser, body: Any, place: Any, source: Any) -> None:
    """Without it, with a wrong one or with one of an earlier login nothing is saved or deleted."""
    style = SaveStyle(body=body, tokens=(place,), token_from=source, token_source="geheim", token_header="X-T")
    browser.sandbox.knobs.save_style = style
    pairs, _ = change_pairs(browser)
    token = token_in(browser, source)

    for wrong in ("", "x"):
        assert browser.json(send(browser, style, 123, pairs, "update", wrong))["error"]
        assert browser.json(send(browser, style, 123, None, "delete", wrong))["error"]
    assert browser.sandbox.value(123, "Bemerkungen") != NASTY
    assert browser.json(send(browser, style, 123, pairs, "update", token))["saved"] == 1
    assert browser.sandbox.value(123, "Bemerkungen") == NASTY
    browser.log_in()
    assert browser.json(send(browser, style, 123, pairs, "update", token))["error"]


def test_the_form_s_hidden_token_is_required(browser: Browser) -> None:
    """With `form`, a missing or wrong `form_token` is refused."""
    style = browser.sandbox.knobs.save_style = SaveStyle(tokens=("form",))
    pairs, _ = change_pairs(browser)

    assert browser.json(send(browser, style, 123, replace_value(pairs, "form_token", "x"), "update"))["error"]
    without = [pair for pair in pairs if pair[0] != "form_token"]
    assert browser.json(send(browser, style, 123, without, "update"))["error"]
    assert browser.json(send(browser, style, 123, pairs, "update"))["saved"] == 1


def success_id(answer: str, response: httpx2.Response) -> str:
    """The new order's id in each shape of answer."""
    if answer in ("empty", "redirect"):
        return response.headers["location"].rpartition("dataID=")[2]
    content = response.json()
    if answer == "success":
        return str(content["data"]["id"])
    return str(content["id" if answer == "status" else "dataID"])


@pytest.mark.parametrize("answer", ANSWERS)
def test_successes_refusals_and_new_ids_have_several_shapes(browser: Browser, answer: Any) -> None:
    """In each shape a success differs from a refusal, which has its text, and an insert has the new order's id."""
    style = browser.sandbox.knobs.save_style = SaveStyle(answer=answer)
    pairs, _ = change_pairs(browser)

    done = send(browser, style, 123, pairs, "update")
    made = success_id(answer, send(browser, style, "", browser.pairs("", "insert"), "insert"))
    browser.sandbox.knobs.refuse_saves = "Pflichtfeld fehlt"
    refused = send(browser, style, 123, pairs, "update")

    assert "Pflichtfeld fehlt" in refused.text
    assert "Pflichtfeld fehlt" not in done.text
    assert (done.status_code, refused.status_code) == {"empty": (200, 422), "redirect": (302, 200)}.get(
        answer, (200, 200)
    )
    assert int(made) in browser.sandbox.order_ids()
    assert browser.sandbox.value(123, "Bemerkungen") == NASTY


def test_the_style_is_a_knob_and_a_text(browser: Browser) -> None:
    """Over HTTP values that are not given get their default; invalid ones are 400, or an error."""
    knobs = browser.http.post("/sandbox/knobs", json={"save_style": {"body": "json", "tokens": ["form"]}}).json()
    assert knobs["save_style"]["body"] == "json"
    assert browser.sandbox.knobs.save_style == SaveStyle(body="json", tokens=("form",))
    text = "body=json,sends=changed,tokens=form/header,space=+,parameter=daten"
    expected = SaveStyle(body="json", sends="changed", tokens=("form", "header"), space="+", parameter="daten")
    assert SaveStyle.from_text(text) == expected
    assert SaveStyle.from_json(expected.as_json()) == expected
    nonsense: tuple[object, ...] = (
        {"body": "xml"},
        {"bdoy": "json"},
        {"tokens": "form"},
        {"parameter": "a b"},
        [],
        "json",
        1,
    )
    for wrong in nonsense:
        answer = browser.http.post("/sandbox/knobs", json={"save_style": wrong})
        assert (answer.status_code, "save_style" in answer.json()["error"]) == (400, True)
    for text in ("json", "body=xml", "tokens=x", "=", "body"):
        with pytest.raises(StyleError, match="save_style"):
            SaveStyle.from_text(text)
