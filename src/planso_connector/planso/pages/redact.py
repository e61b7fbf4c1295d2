"""
What PlanSo sent, without what it says of customers: the words of the installation and the page's shape stay, so that a
reader can be mended against it. Letters become `x` and `X`, digits `9`. Pure, and never raises.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import lru_cache

from planso_connector.domain.character_references import unescape_html
from planso_connector.planso.pages.text import has_tags, label_key, unescape_markup
from planso_connector.planso.profile import Profile

MAX_BYTES = 200_000

_ROOM = 150_000
"""Characters of values and markup; the rest of MOST_BYTES is for quotes and names."""
_LOOKED_AT = 1_000_000
"""Characters of what is no JSON that are looked at."""
_LONGEST_LABEL = 120
_LONGEST_TAG = 20_000
_MOST_BROKEN_TAGS = 100
"""After so many tags that don't end, the rest is text: the end of each of them was looked for in vain."""

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_TELLING = re.compile(
    r"\S+@\S+|\+?\d[\d\s/().-]{4,}\d|"
    r"(?<!\w)[A-ZÄÖÜ]{1,3}[- ]?[A-Z]{1,2}[- ]?\d{1,4}[EH]?(?!\w)|(?<!\w)[A-HJ-NPR-Z\d]{17}(?!\w)"
)
"""Mail addresses, telephone numbers, dates, plates, VINs: masked wherever they stand."""
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>\"'<]*)((?:\"[^\"]*\"|'[^']*'|[^\"'>])*+)>")
_ATTRIBUTE = re.compile(r"([^\s=>/\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>\"']+))?")
_AREA_END = re.compile(r"</textarea", re.IGNORECASE)
_FORM_ROW = re.compile(
    r"<tr\b[^<>]*>\s*<td\b[^<>]*>([^<>]{1,120})</td>\s*<td\b[^<>]*>(?=\s*<(?:input|select|textarea)\b)"
    r"(?:(?!</?t[dr]\b).)*</td>\s*</tr>",
    re.DOTALL | re.IGNORECASE,
)
"""A row of two cells, the words of the first naming the control in the second."""
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PLAIN_NAME = re.compile(r"[\w\[\]:. -]*")
_NUMBER = re.compile(r"\d{0,18}")
_STATION = re.compile(r"\d*@?[a-z]{0,20}")


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_WORDS = {"label": "label", "legend": "label", "th": "th", "option": "option", "button": "button"}
"""Elements whose texts are the installation's, and which tags end them beside their own end."""
_BLOCKS = _set(
    "div p form fieldset table thead tbody tfoot tr td th ul ol li dl dt dd h1 h2 h3 h4 h5 h6 section article header "
    "footer main nav body html label legend button"
)
_ENDS = {
    "label": _BLOCKS,
    "th": _set("tr td th table thead tbody tfoot form body html"),
    "option": _set("option optgroup select") | _BLOCKS,
    "button": _BLOCKS,
}
_DROPPED = frozenset({"script", "style"})
_TAGS = _BLOCKS | _set(
    "a abbr address area aside audio b base blockquote br canvas caption center code col colgroup datalist del details "
    "em embed figure font frame head hr i iframe img input ins kbd link map mark meta noscript object optgroup option "
    "output param pre s samp script select small source span strike strong style sub summary sup svg template textarea "
    "time title track tt u var video wbr"
)
_KEPT_VALUES = frozenset({"class", "id", "name", "type", "for", "form", "data-action"})
_COUNTS = frozenset({"colspan", "rowspan", "rows", "cols", "size", "maxlength", "tabindex"})
_NAMES = (
    _KEPT_VALUES
    | _COUNTS
    | _set(
        "accept action align alt autocomplete charset checked content disabled enctype height hidden href http-equiv "
        "label lang max method min multiple pattern placeholder readonly rel required role selected src step style "
        "target title valign value width border cellpadding cellspacing onclick onchange onsubmit"
    )
)
_DATA_NAME = re.compile(r"data-[a-z][a-z0-9-]{0,40}")
_CODE = frozenset({"js", "functions", "script", "scripts", "css"})
_IDS = frozenset({"ID", "dataID", "employeeID", "theorder"})


def redact_content(content: str) -> str:
    """
    `content` as JSON, as HTML or as whatever it is, masked and at most MOST_BYTES long. Words of labels, headers,
    options, legends and buttons stay, and what stands at `class`, `id`, `name`, `type`, `for` and `data-action`.
    """
    try:
        masked = _of_json(content)
    except (ValueError, RecursionError):
        content = content[:_LOOKED_AT]
        masked = _of_page(_unquoted(content) if content.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") else content, _ROOM)
    return masked.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def mask_text(text: str) -> str:
    """Every letter and digit hidden; what is between them, and so a date's shape, stays."""
    return _DIGIT.sub("9", _LETTER.sub(lambda letter: "X" if letter[0].isupper() else "x", text))


class MaskingRules:
    """How a page's pieces are masked; a subclass keeps or hides more."""

    def mask_value(self, text: str) -> str:
        """What stands at an attribute, in a text area or between tags."""
        return mask_text(text)

    def mask_words(self, text: str, *, is_label: bool) -> str:
        """A text between tags. `is_label`: in a label, header, option, legend or button, or known as such a word."""
        return _own_words(text) if is_label else self.mask_value(text)

    def mask_option(self, text: str) -> str:
        return self.mask_words(text, is_label=True)

    def mask_name(self, key: str, text: str) -> str:
        """What stands at `class`, `id`, `name`, `type`, `for`, `form` or `data-action`."""
        return text if _PLAIN_NAME.fullmatch(text) else self.mask_value(text)

    def mask_script(self, _code: str) -> str:
        """What is left of a script's code; empty for nothing."""
        return ""


def mask_page(content: str, masks: MaskingRules, room: int) -> str:
    """A page of HTML with each piece masked, at most `room` characters long."""
    return _of_page(content, room, masks)


def known_label_keys() -> frozenset[str]:
    """The labels and headers that the connector knows by itself, as label keys."""
    return _known()


def contains_personal_data(text: str) -> bool:
    """Whether a mail address, telephone number, date, plate or VIN stands in it."""
    return _TELLING.search(text) is not None


# JSON ---------------------------------------------------------------------------------------------------------------


def _of_json(content: str) -> str:
    return json.dumps(_Members().masked(json.loads(content)), ensure_ascii=False)


class _Members:
    """Lives for one answer. What there is no more room for is left out, so that the rest stays JSON."""

    def __init__(self) -> None:
        self._room = _ROOM

    def masked(self, value: object, name: str = "") -> object:
        self._room -= 4
        if isinstance(value, dict):
            kept: dict[str, object] = {}
            for key, member in value.items():
                if self._room <= 0:
                    break
                shown = _key(key, member)
                self._room -= len(shown)
                kept[shown] = "" if key in _CODE else self.masked(member, key)
            return kept
        if isinstance(value, list):
            return [self.masked(member) for member in value if self._room > 0]
        if isinstance(value, str):
            return self._text(value, name)
        if value is None or isinstance(value, bool) or name in _IDS:
            return value
        digits = mask_text(str(value))
        try:
            return float(digits) if isinstance(value, float) else int(digits)
        except ValueError:
            return digits

    def _text(self, value: str, name: str) -> str:
        if (name in _IDS and _NUMBER.fullmatch(value)) or (name == "station" and _STATION.fullmatch(value)):
            return value
        shown = _of_page(value, max(0, self._room)) if "<" in value or "&" in value else mask_text(value)
        shown = shown[: max(0, self._room)]
        self._room -= len(shown)
        return shown


def _key(key: str, member: object) -> str:
    """A member's name is the installation's word; a number names an order where an object stands."""
    if key.isdecimal():
        return key if isinstance(member, Mapping) and len(key) <= 18 else mask_text(key)
    return _own_words(key)


def _unquoted(content: str) -> str:
    """JSON that broke off or is none: its escapes undone, so that the markup in it is markup."""

    def plain(escape: re.Match[str]) -> str:
        if escape[1]:
            return chr(int(escape[1], 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(escape[2], escape[2])

    return _ESCAPE.sub(plain, content)


# HTML ---------------------------------------------------------------------------------------------------------------


def _of_page(content: str, room: int, masks: MaskingRules | None = None) -> str:
    page = unescape_markup(content)
    masked = _Markup(page, room, masks or MaskingRules()).masked()
    return masked if page == content or not has_tags(page) else html.escape(masked, quote=False)


class _Markup:
    """Lives for one page: its tags and texts, one after the other, as they stand, well nested or not."""

    def __init__(self, page: str, room: int, masks: MaskingRules) -> None:
        self._page = page
        self._room = room
        self._masks = masks
        self._out: list[str] = []
        self._size = 0
        self._words = ""
        self._rows = {row.start(1) for row in _FORM_ROW.finditer(page[: 4 * room])}

    def masked(self) -> str:
        page, at, broken = self._page, 0, 0
        while at < len(page) and self._size < self._room:
            start = page.find("<", at) if broken < _MOST_BROKEN_TAGS else -1
            start = len(page) if start < 0 else start
            if start > at:
                self._text(page[at:start], at)
            at = start
            if page.startswith("<!--", at):
                at = _after(page, "-->", at + 4)
            elif page[at : at + 2] in ("<!", "<?"):
                at = _after(page, ">", at)
            elif at < len(page):
                tag = _TAG.match(page, at, at + _LONGEST_TAG)
                if tag is None:
                    broken += 1
                    self._put("&lt;")
                    at += 1
                else:
                    at = self._tag(tag)
        return "".join(self._out)[: self._room]

    def _put(self, piece: str) -> None:
        self._out.append(piece)
        self._size += len(piece)

    def _tag(self, tag: re.Match[str]) -> int:
        """Where the page goes on after it: an element that holds no markup is taken whole."""
        name = tag[2].lower()
        if self._words and (name in _ENDS[self._words] or (tag[1] and _WORDS.get(name) == self._words)):
            self._words = ""
        if not tag[1] and name in _WORDS:
            self._words = _WORDS[name] if self._words in ("", _WORDS[name]) or name == "option" else self._words
        if name in _DROPPED:
            return tag.end() if tag[1] else self._dropped(name, tag.end())
        self._put(_tag(tag, self._masks))
        if name != "textarea" or tag[1]:
            return tag.end()
        end = _AREA_END.search(self._page, tag.end())
        inside = len(self._page) if end is None else end.start()
        text = self._page[tag.end() : inside]
        first = re.match(r"\r\n|\r|\n", text)  # belongs to the markup, not to the value
        at = first.end() if first is not None else 0
        self._put(text[:at] + _escaped(self._masks.mask_value(unescape_html(text[at:]))))
        return inside

    def _dropped(self, name: str, at: int) -> int:
        end = _end_of(self._page, name, at)
        left = self._masks.mask_script(self._page[at:end]) if name == "script" else ""
        if left:
            self._put(f"<script>{left}</script>")
        return end

    def _text(self, text: str, at: int) -> None:
        plain = unescape_html(text)
        is_short = len(plain) <= _LONGEST_LABEL
        if self._words == "option" and is_short:
            self._put(_escaped(self._masks.mask_option(plain)))
            return
        is_label = bool(self._words) or at in self._rows or label_key(plain) in _known()
        self._put(_escaped(self._masks.mask_words(plain, is_label=is_label and is_short)))


def _tag(tag: re.Match[str], masks: MaskingRules) -> str:
    name = tag[2] if tag[2].lower() in _TAGS else mask_text(tag[2])
    if tag[1]:
        return f"</{name}>"
    attributes = "".join(_attribute(found[1], found[2], masks) for found in _ATTRIBUTE.finditer(tag[3]))
    return f"<{name}{attributes}{' /' if tag[3].endswith('/') else ''}>"


def _attribute(name: str, value: str | None, masks: MaskingRules) -> str:
    """Names that HTML does not know are masked too: after a quote too many, a value's words stand as names."""
    key = name.lower()
    known = key in _NAMES or _DATA_NAME.fullmatch(key) is not None
    shown = name if known else mask_text(name)
    if value is None:
        return f" {shown}"
    plain = unescape_html(value[1:-1] if value[0] in "\"'" else value)
    if key in _KEPT_VALUES:
        plain = masks.mask_name(key, plain)
    elif not (key in _COUNTS and _NUMBER.fullmatch(plain)):
        plain = masks.mask_value(plain)
    return f' {shown}="{html.escape(plain)}"'


def _own_words(text: str) -> str:
    return _TELLING.sub(lambda told: mask_text(told[0]), text[:_LONGEST_LABEL])


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\xa0", "&nbsp;")


def _after(page: str, end: str, at: int) -> int:
    found = page.find(end, at)
    return len(page) if found < 0 else found + len(end)


def _end_of(page: str, name: str, at: int) -> int:
    end = re.compile(rf"</{name}[^>]*>", re.IGNORECASE).search(page, at)
    return end.end() if end is not None else len(page)


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    """The labels and headers that the connector knows by itself: they may stand in any element."""
    profile = Profile.load(None)
    labels = [label for labels in profile.labels.values() for label in labels]
    headers = [header for headers in profile.parts.headers.values() for header in headers]
    return frozenset(map(label_key, labels + headers))
