"""
Redact what PlanSo sent: the installation's words and the page's structure stay, so that a parser can be fixed against
it; personal data go. Letters become `x` and `X`, digits `9`. Never raises.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import lru_cache

from planso_connector.domain.character_references import unescape_html
from planso_connector.planso.pages.text import has_tags, label_key, name_set, unescape_markup
from planso_connector.planso.profile import Profile

MAX_BYTES = 200_000

_MAX_CONTENT = 150_000
"""Characters of values and markup; the rest of MAX_BYTES is for quotes and names."""
_MAX_NOT_JSON = 1_000_000
"""Characters of what is no JSON that are looked at."""
_MAX_LABEL = 120
_MAX_TAG = 20_000
_MAX_BROKEN_TAGS = 100
"""After so many tags that don't end, the rest is text: the end of each of them was looked for in vain."""

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_PERSONAL_DATA = re.compile(
    r"\S+@\S+|\+?\d[\d\s/().-]{4,}\d|"
    r"(?<!\w)[A-ZÄÖÜ]{1,3}[- ]?[A-Z]{1,2}[- ]?\d{1,4}[EH]?(?!\w)|(?<!\w)[A-HJ-NPR-Z\d]{17}(?!\w)"
)
"""Mail addresses, telephone numbers, dates, plates, VINs: masked wherever they occur."""
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>\"'<]*)((?:\"[^\"]*\"|'[^']*'|[^\"'>])*+)>")
_ATTRIBUTE = re.compile(r"([^\s=>/\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>\"']+))?")
_TEXT_AREA_END = re.compile(r"</textarea", re.IGNORECASE)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_FORM_ROW = re.compile(
    r"<tr\b[^<>]*>\s*<td\b[^<>]*>([^<>]{1,120})</td>\s*<td\b[^<>]*>(?=\s*<(?:input|select|textarea)\b)"
    r"(?:(?!</?t[dr]\b).)*</td>\s*</tr>",
    re.DOTALL | re.IGNORECASE,
)
"""A row of two cells, the text of the first labelling the control in the second."""
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PLAIN_NAME = re.compile(r"[\w\[\]:. -]*")
_NUMBER = re.compile(r"\d{0,18}")
_STATION = re.compile(r"\d*@?[a-z]{0,20}")

_LABEL_TAGS = {"label": "label", "legend": "label", "th": "th", "option": "option", "button": "button"}
"""Elements whose texts are the installation's, by the key of `_LABEL_ENDS`."""
_BLOCKS = name_set(
    "div p form fieldset table thead tbody tfoot tr td th ul ol li dl dt dd h1 h2 h3 h4 h5 h6 section article header "
    "footer main nav body html label legend button"
)
_LABEL_ENDS = {
    "label": _BLOCKS,
    "th": name_set("tr td th table thead tbody tfoot form body html"),
    "option": name_set("option optgroup select") | _BLOCKS,
    "button": _BLOCKS,
}
"""Tags that end such an element, besides its own end."""
_TAG_NAMES = _BLOCKS | name_set(
    "a abbr address area aside audio b base blockquote br canvas caption center code col colgroup datalist del details "
    "em embed figure font frame head hr i iframe img input ins kbd link map mark meta noscript object optgroup option "
    "output param pre s samp script select small source span strike strong style sub summary sup svg template textarea "
    "time title track tt u var video wbr"
)
_NAME_ATTRIBUTES = frozenset({"class", "id", "name", "type", "for", "form", "data-action"})
_NUMBER_ATTRIBUTES = frozenset({"colspan", "rowspan", "rows", "cols", "size", "maxlength", "tabindex"})
_KNOWN_ATTRIBUTES = (
    _NAME_ATTRIBUTES
    | _NUMBER_ATTRIBUTES
    | name_set(
        "accept action align alt autocomplete charset checked content disabled enctype height hidden href http-equiv "
        "label lang max method min multiple pattern placeholder readonly rel required role selected src step style "
        "target title valign value width border cellpadding cellspacing onclick onchange onsubmit"
    )
)
_DATA_ATTRIBUTE = re.compile(r"data-[a-z][a-z0-9-]{0,40}")
_CODE_MEMBERS = frozenset({"js", "functions", "script", "scripts", "css"})
_ID_MEMBERS = frozenset({"ID", "dataID", "employeeID", "theorder"})


def redact_content(content: str) -> str:
    """
    `content` as JSON, as HTML or as whatever it is, masked and at most MAX_BYTES long. The texts of labels, headers,
    options, legends and buttons stay, and the attributes `class`, `id`, `name`, `type`, `for` and `data-action`.
    """
    try:
        masked = json.dumps(_JsonMasker().mask(json.loads(content)), ensure_ascii=False)
    except (ValueError, RecursionError):
        content = content[:_MAX_NOT_JSON]
        is_broken_json = content.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")
        page = _JSON_ESCAPE.sub(_unescape_json, content) if is_broken_json else content
        masked = mask_page(page, MaskingRules(), _MAX_CONTENT)
    return masked.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def _unescape_json(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escape[2], escape[2])


def mask_text(text: str) -> str:
    """Mask every letter and digit; what is between them, and so a date's shape, stays."""
    return _DIGIT.sub("9", _LETTER.sub(lambda letter: "X" if letter[0].isupper() else "x", text))


def mask_page(content: str, masks: MaskingRules, room: int) -> str:
    """A page of HTML with each piece masked, at most `room` characters long."""
    page = unescape_markup(content)
    masked = _PageMasker(page, room, masks).mask()
    return masked if page == content or not has_tags(page) else html.escape(masked, quote=False)


def contains_personal_data(text: str) -> bool:
    """Whether a mail address, telephone number, date, plate or VIN is in it."""
    return _PERSONAL_DATA.search(text) is not None


@lru_cache(maxsize=1)
def known_label_keys() -> frozenset[str]:
    """The keys of the built-in profile's labels and headers: their texts stay in any element."""
    profile = Profile.load(None)
    names = (*profile.labels.values(), *profile.parts.headers.values())
    return frozenset(label_key(name) for group in names for name in group)


class MaskingRules:
    """How a page's pieces are masked; a subclass keeps or hides more."""

    def mask_value(self, text: str) -> str:
        """An attribute's value, a text area's, or a text between tags."""
        return mask_text(text)

    def mask_words(self, text: str, *, is_label: bool) -> str:
        """A text between tags. `is_label`: in a label, header, option, legend or button, or known as such a text."""
        return _mask_personal_data(text) if is_label else self.mask_value(text)

    def mask_option(self, text: str) -> str:
        return self.mask_words(text, is_label=True)

    def mask_name(self, key: str, text: str) -> str:
        """The value of `class`, `id`, `name`, `type`, `for`, `form` or `data-action`."""
        return text if _PLAIN_NAME.fullmatch(text) else self.mask_value(text)


def _mask_personal_data(text: str) -> str:
    return _PERSONAL_DATA.sub(lambda match: mask_text(match[0]), text[:_MAX_LABEL])


class _JsonMasker:
    """Masks one answer. What there is no more room for is left out, so that the rest stays JSON."""

    def __init__(self) -> None:
        self._room = _MAX_CONTENT

    def mask(self, value: object, name: str = "") -> object:
        self._room -= 4
        if isinstance(value, dict):
            masked: dict[str, object] = {}
            for key, member in value.items():
                if self._room <= 0:
                    break
                masked_key = _mask_key(key, member)
                self._room -= len(masked_key)
                masked[masked_key] = "" if key in _CODE_MEMBERS else self.mask(member, key)
            return masked
        if isinstance(value, list):
            return [self.mask(member) for member in value if self._room > 0]
        if isinstance(value, str):
            return self._mask_text(value, name)
        if value is None or isinstance(value, bool) or name in _ID_MEMBERS:
            return value
        digits = mask_text(str(value))
        try:
            return float(digits) if isinstance(value, float) else int(digits)
        except ValueError:
            return digits

    def _mask_text(self, value: str, name: str) -> str:
        is_id = name in _ID_MEMBERS and _NUMBER.fullmatch(value)
        if is_id or (name == "station" and _STATION.fullmatch(value)):
            return value
        room = max(0, self._room)
        is_markup = "<" in value or "&" in value
        masked = (mask_page(value, MaskingRules(), room) if is_markup else mask_text(value))[:room]
        self._room -= len(masked)
        return masked


def _mask_key(key: str, member: object) -> str:
    """A member's name is the installation's word; a number names an order where the value is an object."""
    if key.isdecimal():
        return key if isinstance(member, Mapping) and len(key) <= 18 else mask_text(key)
    return _mask_personal_data(key)


class _PageMasker:
    """Masks one page: its tags and texts one after the other, as they come, well nested or not."""

    def __init__(self, page: str, room: int, masks: MaskingRules) -> None:
        self._page = page
        self._room = room
        self._masks = masks
        self._pieces: list[str] = []
        self._size = 0
        self._label_tag = ""
        """The key of `_LABEL_ENDS` for the label element that is open."""
        self._row_labels = {row.start(1) for row in _FORM_ROW.finditer(page[: 4 * room])}

    def mask(self) -> str:
        page, position, broken = self._page, 0, 0
        while position < len(page) and self._size < self._room:
            start = page.find("<", position) if broken < _MAX_BROKEN_TAGS else -1
            start = len(page) if start < 0 else start
            if start > position:
                self._mask_text(page[position:start], position)
            position = start
            if page.startswith("<!--", position):
                position = _find_end(page, "-->", position + 4)
            elif page[position : position + 2] in ("<!", "<?"):
                position = _find_end(page, ">", position)
            elif position < len(page):
                tag = _TAG.match(page, position, position + _MAX_TAG)
                if tag is not None:
                    position = self._mask_element(tag)
                else:
                    broken += 1
                    self._add("&lt;")
                    position += 1
        return "".join(self._pieces)[: self._room]

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._size += len(piece)

    def _mask_element(self, tag: re.Match[str]) -> int:
        """Mask a tag, and the content of an element that holds no markup; returns where the page continues."""
        name, is_end = tag[2].lower(), bool(tag[1])
        label_tag = _LABEL_TAGS.get(name)
        if self._label_tag and (name in _LABEL_ENDS[self._label_tag] or (is_end and label_tag == self._label_tag)):
            self._label_tag = ""
        if not is_end and label_tag and (not self._label_tag or name == "option"):
            self._label_tag = label_tag
        if name in ("script", "style"):
            return tag.end() if is_end else _find_element_end(self._page, name, tag.end())
        self._add(_mask_tag(tag, self._masks))
        if name != "textarea" or is_end:
            return tag.end()
        end = _TEXT_AREA_END.search(self._page, tag.end())
        text = self._page[tag.end() : end.start() if end is not None else len(self._page)]
        line_break = _LINE_BREAK.match(text)  # belongs to the markup, not to the value
        value_start = line_break.end() if line_break is not None else 0
        self._add(text[:value_start] + _escape(self._masks.mask_value(unescape_html(text[value_start:]))))
        return tag.end() + len(text)

    def _mask_text(self, text: str, position: int) -> None:
        text = unescape_html(text)
        is_short = len(text) <= _MAX_LABEL
        if self._label_tag == "option" and is_short:
            self._add(_escape(self._masks.mask_option(text)))
            return
        is_label = bool(self._label_tag) or position in self._row_labels or label_key(text) in known_label_keys()
        self._add(_escape(self._masks.mask_words(text, is_label=is_label and is_short)))


def _mask_tag(tag: re.Match[str], masks: MaskingRules) -> str:
    name = tag[2] if tag[2].lower() in _TAG_NAMES else mask_text(tag[2])
    if tag[1]:
        return f"</{name}>"
    attributes = "".join(_mask_attribute(found[1], found[2], masks) for found in _ATTRIBUTE.finditer(tag[3]))
    return f"<{name}{attributes}{' /' if tag[3].endswith('/') else ''}>"


def _mask_attribute(name: str, value: str | None, masks: MaskingRules) -> str:
    """Names that HTML does not know are masked too: after a quote too many, a value's words look like names."""
    key = name.lower()
    is_known = key in _KNOWN_ATTRIBUTES or _DATA_ATTRIBUTE.fullmatch(key) is not None
    masked_name = name if is_known else mask_text(name)
    if value is None:
        return f" {masked_name}"
    text = unescape_html(value[1:-1] if value[0] in "\"'" else value)
    if key in _NAME_ATTRIBUTES:
        text = masks.mask_name(key, text)
    elif not (key in _NUMBER_ATTRIBUTES and _NUMBER.fullmatch(text)):
        text = masks.mask_value(text)
    return f' {masked_name}="{html.escape(text)}"'


def _escape(text: str) -> str:
    return html.escape(text, quote=False).replace("\xa0", "&nbsp;")


def _find_end(page: str, end: str, start: int) -> int:
    found = page.find(end, start)
    return len(page) if found < 0 else found + len(end)


def _find_element_end(page: str, name: str, start: int) -> int:
    end = re.compile(rf"</{name}[^>]*>", re.IGNORECASE).search(page, start)
    return end.end() if end is not None else len(page)
