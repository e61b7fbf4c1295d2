# ruff: noqa: E501 - markup stands as PlanSo would send it
"""What goes back to PlanSo: as a browser would send it, and as it came."""

from __future__ import annotations

import html
from urllib.parse import parse_qsl

from hypothesis import example, given
from hypothesis import strategies as st

from tests.planso.conftest import form_of

LABEL = "<div><label>VIN</label><input name=v value=1></div>"
V = "v=1&"
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def sent(markup: str) -> str:
    """The serialised form that holds `markup` after one labelled field."""
    serialised = form_of(f"<form>{LABEL}{markup}</form>").serialise()
    return serialised.removeprefix("v=1").removeprefix("&")


def escaped(text: str) -> str:
    return html.escape(text).replace("\r", "&#13;")


@given(PLAIN, PLAIN, PLAIN)
@example("a\r\nb", "\n\nc\rd", "\xa0€ß&lt;")
def test_values_come_back_as_they_were(hidden: str, area: str, option: str) -> None:
    """Any text in an input, a text area and an option's value goes back unchanged."""
    markup = (
        f'<input type="hidden" name="h" value="{escaped(hidden)}"><textarea name="t">\n{escaped(area)}</textarea>'
        f'<select name="s"><option value="x">x</option><option value="{escaped(option)}" selected>y</option></select>'
    )

    assert parse_qsl(sent(markup), keep_blank_values=True) == [("h", hidden), ("t", area), ("s", option)]


@given(st.text("ab \r\n<&\"'=>\t", max_size=30))
def test_raw_line_breaks_survive_the_parser(text: str) -> None:
    """`\\r\\n` stands in the page's text areas and values as bytes, not as references; it must not become `\\n`."""
    raw = html.escape(text)
    hidden = f'<input type=hidden name="i"\r\n value="{raw}" data-x=\'a\r\nb\'>'
    markup = f'<textarea\r\nname="t">\r\n{raw}</textarea>\r\n{hidden}'

    assert parse_qsl(sent(markup), keep_blank_values=True) == [("t", text), ("i", text)]


PIECES = (
    "\r\n", "\r", "\n", "ab", "&#13;", "&#10;", "&NewLine;", "&#xc;", "<p title='\r\n\">'>", "<!-- \r\n' -->", "<div\r\n>", "</div>", "<br\r/>",
    "<table>\r\n<tr\r>", "<td>", "</td\r\n>", "</table>", "<label\r\nfor=i>\r\nKBA", "</label\r>",
    "<input name=a\r\nid=i\rvalue='\n\r\n>\n\r'>", "<input name=d type=checkbox\r\nchecked\r>",
    "<textarea\rname=b title='a>\r\n'>", "</textarea\r\n>",
    "<select name='c\r\n'>", "<option value='\r'\r\nselected>", "<option selected>", "</select>",
)  # fmt: skip


@given(st.text("ab \r\n\t", max_size=30))
def test_a_text_input_has_no_line_breaks(text: str) -> None:
    """Browsers take them out of its value before anybody sees it."""
    markup = f'<input name="i" value="{html.escape(text)}"><input type=tel name="t" value="{html.escape(text)}">'
    line = text.replace("\r", "").replace("\n", "")

    assert parse_qsl(sent(markup), keep_blank_values=True) == [("i", line), ("t", line)]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@example(["<textarea\rname=b title='a>\r\n'>", "\n", "\r\n", "ab"])
@example(["<textarea\rname=b title='a>\r\n'>", "\r", "\r\n", "ab"])
@example(["<textarea\rname=b title='a>\r\n'>", "&#10;", "\r\n", "ab"])
@example(["<textarea\rname=b title='a>\r\n'>", "&NewLine;", "\r", "ab"])
def test_a_form_feed_beside_the_form_changes_nothing(pieces: list[str]) -> None:
    """Pages with line breaks are read the quick way, those with form feeds the thorough one; both find the same."""
    page = f"<form>{LABEL}{''.join(pieces)}</form>"
    quickly, thoroughly = form_of(page), form_of(f"<p title='\f'></p>{page}")

    assert quickly.serialise() == thoroughly.serialise()
    assert quickly.read_fields() == thoroughly.read_fields()


def test_form_feeds_are_no_line_breaks() -> None:
    """Raw or as a reference, with line breaks beside them, they go back as they came."""
    area = "<textarea name=b>\f\n4\r</textarea>"
    assert sent(f"<input type=hidden name=a value='1\f2\r\n3'>{area}") == "a=1%0C2%0D%0A3&b=%0C%0A4%0D"
    assert sent("<input type=hidden name=a value='1&#012;2\r3&#xC4'>") == "a=1%0C2%0D3%C3%84"


OPTIONS = st.lists(st.tuples(st.text("abc", max_size=2), st.booleans(), st.booleans()), max_size=5)


@given(OPTIONS, st.booleans())
def test_selects_send_what_a_browser_sends(options: list[tuple[str, bool, bool]], multiple: bool) -> None:
    """The last selected option, else the first enabled one; each selected one of a multiple; never a disabled one."""
    markup = "".join(
        f'<option value="{value}"{" selected" * selected}{" disabled" * disabled}>x</option>'
        for value, selected, disabled in options
    )
    chosen = [option for option in options if option[1]]
    if not multiple:
        chosen = chosen[-1:] or [option for option in options if not option[2]][:1]
    expected = "&".join(f"s={value}" for value, _, disabled in chosen if not disabled)

    assert sent(f"<select name=s{' multiple' * multiple}>{markup}</select>") == expected


def test_what_a_browser_leaves_out_is_left_out() -> None:
    """No name, disabled, unchecked, submit, button, image, reset and file inputs are not sent."""
    markup = (
        "<input value=1><input name='' value=1><input name=a disabled><input type=checkbox name=b>"
        "<input type=radio name=c value=1><input type=SUBMIT name=d><input type=button name=e><input type=image name=f>"
        "<input type=reset name=g><input type=file name=h><button name=i value=1>x</button>"
        "<fieldset disabled><legend><input name=j value=1></legend><input name=k></fieldset>"
        "<select name=l disabled><option>1</select><select name=m></select>"
        "<select name=n><optgroup disabled><option selected>1</optgroup></select><select name=o size=4><option>1</select>"
    )

    assert sent(markup) == "j=1"


def test_what_a_browser_sends_is_sent_in_order() -> None:
    """Document order, doubles kept, `on` for a box without value, an option's text where it has no value."""
    markup = (
        "<input type=hidden name=x value=0><input type=checkbox name=x value=1 checked><input type=checkbox name=y checked>"
        "<select name=z><option>  Karo \n und  Lack </select><input name='f[1]' value=''><input type=weird name=w value=2>"
        "<select multiple name='m[]'><option value=1 selected>a<option value=2>b<option value=3 selected>c</select>"
    )

    assert sent(markup) == "x=0&x=1&y=on&z=Karo%20und%20Lack&f%5B1%5D=&w=2&m%5B%5D=1&m%5B%5D=3"


def test_the_encoding_is_that_of_encode_uri_component() -> None:
    """Unreserved characters stay, a blank is `%20`, everything else is UTF-8 in percent."""
    assert sent('<input name=a value="-_.!~*\'() +/ä€%&amp;=">') == "a=-_.!~*'()%20%2B%2F%C3%A4%E2%82%AC%25%26%3D"


def test_content_that_has_tags_is_not_unescaped() -> None:
    """A value that shows `<b>` as text keeps it."""
    assert sent('<input name=a value="&amp;lt;b&amp;gt; &lt;i&gt;">') == "a=%26lt%3Bb%26gt%3B%20%3Ci%3E"
