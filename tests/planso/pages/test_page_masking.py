"""Redacted pages keep the installation's words, and no word of a customer."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planso_connector.planso.pages.page_masking import MAX_BYTES, redact_content
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.invented_people import invent_email, invent_phone, invent_plate
from tests.planso.conftest import client, form_of
from tests.sandbox.browser import Browser

MARKUPS = ("div", "table", "for", "wrapped", "busy")
WORD = st.text(
    st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="xX9"), min_size=4, max_size=12
).map(lambda word: f"{word}q7")
TELLING = st.one_of(
    st.randoms(use_true_random=False).map(invent_phone),
    st.randoms(use_true_random=False).map(invent_plate),
    st.randoms(use_true_random=False).map(lambda dice: invent_email(dice, "Jana Weiß") or "jana@example.org"),
)


def form(value: str, label: str = "Fahrername") -> str:
    shown = html.escape(value)
    return (
        f"<form id='f_1'><!-- {shown} --><script>var a = '{shown}';</script><p title='{shown}'>{shown}</p>"
        f"<div><label for=a>{html.escape(label)}</label><input id=a name=f_8 class=c value='{shown}' data-x='{shown}'>"
        f"</div><table><tr><td>Bemerkungen</td><td><textarea name=f_9>\n{shown}</textarea></td></tr></table>"
        f"<div><label>Kategorie</label><select name=f_10><option value='{shown}'>Unfall</option></select></div>"
        f"<a href='/do?{shown}'>{shown}</a></form>"
    )


@given(
    value=st.lists(WORD, min_size=1, max_size=4).map(" ".join),
    wrapped=st.sampled_from(["page", "json", "cut", "escaped"]),
)
@example(value="<b>Petersenq7", wrapped="page")
@example(value='Elektroq7 "Blitzq7" <Meierq7>', wrapped="json")
def test_no_word_of_a_value_survives(value: str, wrapped: str) -> None:
    """Whether the page is HTML, inside JSON, inside JSON that broke off or escaped once more: no word of it is left."""
    page = form(value)
    if wrapped == "escaped":
        page = html.escape(page)
    content = page if wrapped == "page" else json.dumps({"center": {"content": page}, "js": value, "name": value})
    shown = redact_content(content[:-9] if wrapped == "cut" else content)
    assert not [word for word in value.split() if word in shown or word in html.unescape(shown)]
    assert "Fahrername" in shown
    assert "Unfall" in shown


@given(told=TELLING)
def test_mail_plates_and_telephones_never_survive(told: str) -> None:
    """Not even where the installation's own words stand: a label, an option, a JSON member's name."""
    page = form(told, f"Kontakt {told}") + f"<label>{told}</label><option>{told}</option><th>{told}</th>"
    for content in (page, json.dumps({"html": page, told: told}), told, f"<h1>{told}</h1>"):
        assert told not in html.unescape(redact_content(content))


@given(
    value=st.text(max_size=40),
    labels=st.lists(st.sampled_from(["Halter", "VIN", "Neues Feld", "HU/AU *:"]), unique=True),
)
def test_a_redacted_form_reads_as_the_same_labels(value: str, labels: list[str]) -> None:
    """Form.parse finds the labels of the original, in its order, whatever the values are."""
    page = "".join(form(value, label) for label in labels or ["Auftrag"])
    answer = json.loads(redact_content(json.dumps({"center": {"content": page}})))
    assert form_of(answer["center"]["content"]).labels == form_of(page).labels


@pytest.mark.anyio
@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("escaped", [False, True])
async def test_the_sandbox_forms_keep_their_labels_and_lose_their_customers(markup: Any, escaped: bool) -> None:
    """Every markup of the protocol: the labels of the original, nothing of what the order's text fields hold."""
    sandbox = Sandbox(orders=12, installation=Installation(markup=markup, escaped_markup=escaped))
    answers: list[str] = []
    with sandbox.serve() as url, Browser(sandbox, url) as browser:
        browser.log_in()
        async with client(url) as planso:
            for order in sandbox.order_ids()[:6]:
                form_before = await planso.read_form(order)
                answers.append(redact_content(browser.call(order).text))
                content = json.loads(answers[-1])["center"]["content"]
                assert form_of(content).labels == form_before.labels
                for label in ("Fahrername", "Kennzeichen", "Telefon", "Kunden E-Mail", "VIN"):
                    if label in form_before.labels and (held := sandbox.value(order, label)):
                        assert held not in answers[-1], label


@settings(deadline=None)
@given(
    content=st.text(max_size=300)
    | st.text("<>/\"'= abl\\{}[]&;!-", max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps)
)
@example(content="[" * 100_000)
@example(content='{"a": ' + "9" * 5000 + "}")
@example(content='<input value="' * 20_000)
@example(content="\ud800")
@example(content=json.dumps({"html": "<p>Müller</p>" * 60_000}))
def test_any_content_is_redacted_within_the_bound(content: str) -> None:
    """Nothing raises, and the result is never longer than the bound."""
    assert len(redact_content(content).encode()) <= MAX_BYTES


def test_dates_keep_their_shape_and_ids_stay() -> None:
    """What parsers rely on stays: the shape of dates, ids, stations, classes."""
    board = {"123": {"ID": 123, "short_name": "Jana Weiß", "station": "12@active", "finish_date": "16.12.2025"}}
    assert json.loads(redact_content(json.dumps(board))) == {
        "123": {"ID": 123, "short_name": "Xxxx Xxxx", "station": "12@active", "finish_date": "99.99.9999"}
    }
    assert redact_content('<td class="a b" data-status="Weg">16.12.2025</td>') == (
        '<td class="a b" data-status="Xxx">99.99.9999</td>'
    )


def test_a_large_answer_stays_json() -> None:
    """What there is no room for is left out, not cut in the middle, so that it can be read again."""
    board = [{"ID": number, "short_name": "Jana Weiß" * 9} for number in range(1, 20_000)]
    assert len(json.loads(redact_content(json.dumps(board)))) > 500
