"""The order's other tabs: tables, pairs and links are read; scripts are not."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import PageChanged, PageTooLarge
from planso_connector.planso.pages.tab_page import MAX_ROWS, MAX_TEXT_LENGTH, Link, Table
from planso_connector.planso.pages.tab_parser import (
    MAX_LINKS,
    MAX_PAIRS,
    MAX_TABLES,
    ParsedTab,
    parse_tab,
    tab_parameters,
)
from planso_connector.planso.profile import Profile


def read(content: str) -> ParsedTab:
    return parse_tab("work", {"html": content, "js": "evil()"})


# -- what is asked


def test_a_tab_is_requested_by_its_call_and_the_order() -> None:
    """The call is the profile's; the whole shop view is requested without its fields."""
    methods = Profile.load().calls.tabs

    assert tab_parameters("work", methods, 5) == {"m": "resourceplanner_shop_view_get_work", "ID": "5"}
    assert tab_parameters("shop_view", methods, 5) == {
        "m": "resourceplanner_get_shop_view",
        "get_fields": "false",
        "ID": "5",
    }


# -- pairs


@pytest.mark.parametrize(
    "content",
    [
        "<dl><dt>Farbton</dt><dd>Größe <b>L</b></dd><dt>Halle</dt><dd>2</dd></dl>",
        "<dl><div><dt>Farbton:<dd>Größe L</div><div><dt>Halle<dd>2</div></dl>",
        "<table><tr><th>Farbton</th><td>Größe L</td></tr><tr><th>Halle</th><td>2</td></tr></table>",
        "<table><tbody><tr><td>Farbton :</td><td>Größe<br>L</td></tr><tr><td>Halle:</td><td>2</td></tr></table>",
        "<table><tr><td>Farbton:</td><td>Größe L</td><td>Halle:</td><td>2</td></tr></table>",
        "<table><tr><th colspan=2>Lack</th></tr><tr><th>Farbton<td>Größe L<tr><th>Halle<td>2</table>",
        "<p><label>Farbton*</label><input value='Größe  L' name=a></p><p><label>Halle<input value=2 name=b></label>",
        "<label for=a>Farbton</label><label for=b>Halle</label><input id=a value='Größe L'><input id=b value=2>",
        "<div>Farbton:<input value='Größe L' name=a></div><div>Halle<select name=b><option>2</select></div>",
    ],
)
def test_labels_with_values_are_pairs(content: str) -> None:
    """However a page lays them out, they are pairs and not a table as well."""
    assert read(content) == ParsedTab("work", pairs={"Farbton": "Größe L", "Halle": "2"})


def test_of_equal_labels_the_first_that_holds_something_counts() -> None:
    """As in forms; several values of one term are joined."""
    page = "<dl><dt>Halle<dd><dt>Halle<dd>2<dt>Halle<dd>3<dt>Gewerke<dd>Lack<dd><dd>Karosserie</dl>"

    assert read(page).pairs == {"Halle": "2", "Gewerke": "Lack, Karosserie"}
    nested = "<dl><dt>A<dd>1<dd>2<dl><dt>B<dd>3</dl><dd>4</dl>"
    assert read(nested).pairs == {"A": "1, 2, 4", "B": "3"}


def test_what_a_page_hides_is_no_pair() -> None:
    """Hidden inputs and passwords are neither pairs nor cells; a list without a term is no pair."""
    page = (
        "<label>Token</label><input type=hidden name=t value=EVIL>"
        "<label>Passwort</label><input type=password value=EVIL>"
        "<table><tr><th>A<th>B<tr><td><input type=hidden value=EVIL><td><input type=password value=EVIL>x</table>"
        "<dl><dd>EVIL</dd></dl>"
    )

    assert "EVIL" not in read(page).to_json()


# -- tables


def test_a_table_is_its_headers_and_its_rows() -> None:
    """Empty rows are left out, a filter row in the head is a row, a table without headers has none."""
    page = (
        "<table><caption>Zeiten</caption><thead><tr><th>Wer<th>Wann<tr><td><input name=f value=''></thead>"
        "<tr><td>Söhnke\n Östlund</td><td><span>07:</span><span>30</span></td></tr><tr><td> &nbsp;</td></tr></table>"
        "<table><tr><td>1<td>2<td>3</table><table><tr><td></td></tr></table>"
    )

    assert read(page).tables == (Table(("Wer", "Wann"), (("Söhnke Östlund", "07:30"),)), Table((), (("1", "2", "3"),)))


def test_a_table_of_two_columns_with_headers_is_no_list_of_pairs() -> None:
    """Its first column is data like any other."""
    page = "<table><tr><th>Tag<th>Stunden</tr><tr><th>Montag:</th><td>8</td></tr></table>"

    assert read(page) == ParsedTab("work", tables=(Table(("Tag", "Stunden"), (("Montag:", "8"),)),))


def test_rows_without_a_table_are_one() -> None:
    """A tab may be the rows alone that PlanSo's own page puts into a table it has."""
    assert read(" <tr><td>1<td>2<td>3</tr>").tables == (Table((), (("1", "2", "3"),)),)


def test_each_table_is_listed_once() -> None:
    """A table in a cell is listed by itself, in document order; a table that only lays the page out is not listed."""
    inner = "<table><tr><th>A<th>B</tr><tr><td>{0}<td>{0}{0}</tr></table>"
    page = (
        f"<table><tr><td>{inner.format('x')}</td><td>{inner.format('y')}</td></tr></table>"
        f"<table><tr><th>C<th>D</tr><tr><td>vor {inner.format('z')} nach<td>q</tr></table>"
    )

    assert read(page).tables == (
        Table(("A", "B"), (("x", "xx"),)),
        Table(("A", "B"), (("y", "yy"),)),
        Table(("C", "D"), (("vor nach", "q"),)),
        Table(("A", "B"), (("z", "zz"),)),
    )


def test_cells_that_span_keep_the_others_in_their_columns() -> None:
    """What a spanning cell covers is empty; absurd spans are cut."""
    page = (
        "<table><tr><th>A<th>B<th>C</tr><tr><td rowspan=2>1<td colspan=2>2</tr><tr><td>3<td>4</tr>"
        "<tr><td>5<td rowspan=999>6<td>7</tr><tr><td>8<td>9</tr></table>"
    )

    assert read(page).tables == (
        Table(("A", "B", "C"), (("1", "2", ""), ("", "3", "4"), ("5", "6", "7"), ("8", "", "9"))),
    )
    (wide,) = read("<table><tr><td colspan=999>x<td colspan=0>y</tr></table>").tables
    assert len(wide.rows[0]) == 100


def test_a_cell_shows_what_its_control_shows() -> None:
    """Inputs by their value, check boxes in words, selects by what is chosen."""
    page = (
        "<table><tr><th>A<th>B<th>C<th>D</tr><tr><td><input value=1><td><input type=checkbox checked>"
        "<td><select><option>x<option selected>y</select><td><textarea>a\nb</textarea></tr></table>"
    )

    assert read(page).tables == (Table(("A", "B", "C", "D"), (("1", "ja", "y", "a b"),)),)


_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zs", "Zl", "Zp")), min_size=1, max_size=8
)


@given(st.lists(st.lists(_TEXTS, min_size=3, max_size=3), min_size=2, max_size=6), st.booleans())
def test_a_table_comes_back_as_it_was_laid_out(rows: list[list[str]], twice: bool) -> None:
    """Any texts in any number of rows, also when the page is escaped once more."""
    head, *body = [[html.escape(text) for text in row] for row in rows]
    cells = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in body)
    page = f"<table><thead><tr>{''.join(f'<th>{text}</th>' for text in head)}</tr></thead>{cells}</table>"

    section = read(html.escape(page) if twice else page)

    assert section.tables == (Table(tuple(rows[0]), tuple(map(tuple, rows[1:]))),)


# -- links


def test_links_have_their_text() -> None:
    """Each is listed once; without text by its image's or its title; those that lead nowhere are left out."""
    page = (
        "<a href='/files/1/a b.pdf'>Gut<b>achten</b></a><a href='/files/1/a b.pdf'>Gutachten</a>"
        "<a href=https://x.example/?a=1&amp;b=2><img src=x alt=Bild></a><a href=datei.pdf title=Datei><i></i></a>"
        "<a href=#oben>oben</a><a>nichts</a><a href=''>leer</a><table><tr><td><a href=//y.example>Y</a><td>1</table>"
    )

    assert read(page).links == (
        Link("Gutachten", "/files/1/a b.pdf"),
        Link("Bild", "https://x.example/?a=1&b=2"),
        Link("Datei", "datei.pdf"),
        Link("Y", "//y.example"),
    )


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        " JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "java&#9;script&colon;alert(1)",
        "&#1;javascript:alert(1)",
        "\x0bjavascript:alert(1)",
        "data:text/html,<b>x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x.example/1",
    ],
)
def test_script_addresses_are_no_links(href: str) -> None:
    """Only http, https and relative addresses are links, however others are disguised."""
    assert read(f'<a href="{html.escape(href) if "&" not in href else href}">x</a>').links == ()


@given(st.text(st.sampled_from("javscriptdthp:/\t\n\r \x00\x01\x1f#?.%&;\\x\u2028\xad"), max_size=20))
def test_no_link_has_an_address_that_a_browser_would_run(href: str) -> None:
    """No link has a scheme but http and https."""
    for link in read(f'<a href="{html.escape(href)}">x</a>').links:
        assert urlsplit(link.href).scheme in ("", "http", "https")
        assert link.href.isprintable()


# -- what never passes through

HOSTILE = [
    "<script>EVIL</script>",
    "<script>var t = '<table><tr><td>EVIL:<td>EVIL</table>';</script>",
    "<style>EVIL{}</style><template><dl><dt>EVIL<dd>EVIL</dl></template>",
    "<!-- EVIL <dl><dt>EVIL<dd>EVIL</dl> -->",
    "<svg onload=EVIL><script>EVIL</script><a href=EVIL>EVIL</a></svg>",
    "<iframe srcdoc='EVIL'>EVIL</iframe><object data=EVIL>EVIL</object><noscript>EVIL</noscript>",
    "<b onclick=EVIL style=EVIL data-x=EVIL title=EVIL>x</b>",
    "<a href=javascript:EVIL onclick=EVIL>x</a>",
    "<img src=x onerror=EVIL alt=x>",
    "<input onfocus=EVIL autofocus value=x name=EVIL><button>EVIL</button>",
    "<math><mtext><script>EVIL</script></mtext></math><xmp><script>EVIL</script></xmp>",
    "<script>EVIL",
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "page",
    [
        "{}",
        "<table><tr><th>A<th>B</tr><tr><td>{}<td>y</tr></table>",
        "<table><tr><td>Halle:</td><td>{}</td></tr></table>",
        "<dl><dt>Halle {}</dt><dd>{}</dd></dl>",
        "<div><label>Halle {}</label>{}<input name=a value=x></div>",
        "<a href=/x>{}</a>",
    ],
)
def test_scripts_never_pass_through(page: str, hostile: str) -> None:
    """No script, style, comment, event handler or other attribute is ever returned, also in JSON."""
    content = page.replace("{}", hostile)

    assert "EVIL" not in read(content).to_json()
    assert "EVIL" not in read(html.escape(content)).to_json()
    assert "EVIL" not in parse_tab("work", {"data": [{"Notiz": content}], "js": "EVIL"}).to_json()


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<dl><dt>", "<a href=x>", "<p>", "<label>x<input>", "<td>", "<"],
)
def test_a_megabyte_of_nesting_is_read_or_refused(piece: str) -> None:
    """It is read, or refused as too large, in seconds: no recursion, no quadratic time."""
    try:
        section = read(piece * (MEGABYTE // len(piece)) + "x")
    except PageChanged as error:
        assert isinstance(error, PageTooLarge)  # noqa: PT017 - the other outcome is good too
    else:
        assert len(section.to_json()) < 3 * MEGABYTE


def test_a_tab_is_bounded() -> None:
    """Beyond the bounds pages are cut: tables, rows of all tables, pairs, links, the length of a text."""
    row = "<tr><td>a<td>b<td>c</tr>"
    many = read(f"<table>{row}</table>" * 300)
    assert len(many.tables) == MAX_TABLES
    long = read(f"<table>{row * 1500}</table>" * 3)
    assert [len(table.rows) for table in long.tables] == [1500, MAX_ROWS - 1500]
    assert len(read("".join(f"<dl><dt>L{n}<dd>x</dl>" for n in range(3000))).pairs) == MAX_PAIRS
    assert len(parse_tab("work", {f"L{n}": n for n in range(3000)}).pairs) == MAX_PAIRS
    assert len(read("".join(f"<a href=/{n}>x</a>" for n in range(600))).links) == MAX_LINKS
    text = "x" * 2 * MAX_TEXT_LENGTH
    cut = read(f"<table><tr><td>1<td>{text}<td>3</table><dl><dt>{text}<dd>{text}</dl><a href=/x>{text}</a>")
    assert cut.tables[0].rows[0][1] == cut.links[0].text == text[:MAX_TEXT_LENGTH]
    assert cut.pairs == {text[:MAX_TEXT_LENGTH]: text[:MAX_TEXT_LENGTH]}


SCRIPTS = [
    "<script>EVIL</script>",
    "<b onclick=EVIL data-x=EVIL>x</b>",
    "<a href=javascript:EVIL onclick=EVIL>x</a>",
    "<img src=x onerror=EVIL alt=x>",
    "<input onfocus=EVIL value=x name=EVIL>",
]
_TAGS = (
    "<table> </table> <tr> </tr> <td> <thead> <dl> <dt> <dd> </dl> </a> <label> </label> </select> <textarea> "
    "</textarea> <form> </form> Wort: &nbsp; &lt;b&gt; ]]> <!--"
)
_PIECES = st.sampled_from(
    [*SCRIPTS, *_TAGS.split(), "<th rowspan=3 colspan=2>", "<a href=/x>", "<input value=v name=n>", "<select><option>o"]
)


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_any_sequence_of_tags_is_read(content: str) -> None:
    """Misnested, unclosed and stray tags are read, without scripts, and the same each time."""
    section = read(content)

    told = section.to_json()
    assert json.loads(told) == section.to_document()
    assert read(content) == section
    if "<textarea>" not in content:  # what that holds is text, and shown
        assert "EVIL" not in told


# -- where an answer holds its page

PAGE = "<dl><dt>Farbton<dd>Größe L</dl>"
FURTHER = "<table><tr><th>A<th>B</tr><tr><td>1<td>2</table>"


@pytest.mark.parametrize(
    "answer",
    [
        {"html": PAGE + FURTHER, "js": "evil()"},
        {"html": {"a": {"content": PAGE}, "b": {"content": FURTHER}}, "functions": "evil()"},
        {"html": {"a": PAGE, "b": {"html": FURTHER, "js": "evil()"}, "c": None, "d": 5}},
        {"html": [PAGE, {"content": FURTHER}]},
        {"html": {"content": PAGE + FURTHER}},
        {"center": {"content": PAGE + FURTHER}, "functions": "evil()"},
        {"center": {"content": {"a": {"content": PAGE + FURTHER}}}},
        {"html": html.escape(PAGE + FURTHER)},
        {"html": f"<div class='tab'>{html.escape(PAGE + FURTHER)}</div>"},
        {"center": {"content": f"<div>\n<form>{html.escape(PAGE + FURTHER)}</form></div>"}},
    ],
)
def test_a_page_is_found_wherever_the_answer_holds_it(answer: Any) -> None:
    """As a text, as one of several, as the center's content, escaped once more, whole or within its wrapper."""
    assert parse_tab("work", answer) == ParsedTab(
        "work", tables=(Table(("A", "B"), (("1", "2"),)),), pairs={"Farbton": "Größe L"}
    )


def test_members_without_markup_are_pairs() -> None:
    """An object of texts is no page, and loses none of them."""
    assert parse_tab("work", {"html": {"Farbe": "rot", "Halle": {"content": "2"}}}).pairs == {
        "html.Farbe": "rot",
        "html.Halle.content": "2",
    }


def test_entered_angle_brackets_are_text() -> None:
    """In a page with elements of its own, an escaped tag is text."""
    page = "<table><tr><th>Notiz:</th><td>&lt;table&gt; &lt;td&gt; siehe oben</td></tr></table>"

    assert read(page).pairs == {"Notiz": "<table> <td> siehe oben"}


# -- JSON


def test_json_without_a_page_is_pairs() -> None:
    """Scalars by their path; nothing for null, words for yes and no; markup in a text is read, code is left out."""
    answer = {
        "projectID": 123,
        "data": {"Farbe": " rot\n blau ", "fertig": True, "Preis": 11.5, "leer": None, "Rest": ""},
        "Zeiten": [{"wer": "K&amp;L"}, {"wer": "<b>Karin</b>"}],
        "tab": "<table><tr><th>A<th>B</tr><tr><td>1<td>2</table>",
        "js": "evil()",
        "inner": {"functions": "evil()"},
        "execution_time": 0.3,
    }

    assert parse_tab("stats", answer) == ParsedTab(
        "stats",
        tables=(Table(("A", "B"), (("1", "2"),)),),
        pairs={
            "projectID": "123",
            "data.Farbe": "rot blau",
            "data.fertig": "ja",
            "data.Preis": "11.5",
            "data.Rest": "",
            "Zeiten.0.wer": "K&L",
            "Zeiten.1.wer": "Karin",
        },
    )
    assert parse_tab("stats", ["a", ["b"]]).pairs == {"0": "a", "1.0": "b"}


def test_json_is_read_to_a_fixed_depth() -> None:
    """Members nested beyond reason are left out."""
    deep: Any = {"x": 1}
    for _ in range(500):
        deep = {"x": deep, "y": 2}

    assert len(parse_tab("stats", deep).pairs) == 9


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=10)
    | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)


@given(_JSON)
def test_any_json_is_read_or_refused(answer: Any) -> None:
    """Objects and lists are read, but for errors; a scalar is no tab; nothing else is ever raised."""
    try:
        section = parse_tab("stats", answer)
    except PageChanged as error:
        assert error.page == "stats"  # noqa: PT017
        assert not isinstance(answer, list)
    else:
        assert isinstance(answer, (dict, list))
        assert json.loads(section.to_json()) == section.to_document()
        assert "EVIL" not in section.to_json()


@pytest.mark.parametrize("answer", ["", "<p>x</p>", None, 5, True, {"error": "Kein Zugriff"}])
def test_an_answer_that_is_no_tab_is_refused(answer: Any) -> None:
    """PageChanged names the tab, and nothing of what the page says."""
    with pytest.raises(PageChanged, match="the tab invoice") as told:
        parse_tab("invoice", answer)

    assert told.value.page == "invoice"
    assert "Zugriff" not in str(told.value)


@pytest.mark.parametrize(
    "answer", [{"html": ""}, {"html": "<div class=alert>Nicht gefunden.</div>"}, {}, [], {"html": None}]
)
def test_an_empty_tab_is_empty(answer: Any) -> None:
    """Most orders have neither rental car nor invoice."""
    assert parse_tab("invoice", answer) == ParsedTab("invoice")
