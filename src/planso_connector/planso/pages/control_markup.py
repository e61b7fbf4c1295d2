"""
Split a form's markup at its controls, and a control's markup into shape and content: `value`, `checked`, a text area's
text, a select's options. Only markup that no HTML parser can take otherwise is split off: quoted attributes, whose
texts have no `<` and no `>`, and elements that are closed.
"""

import re

MARK = "data-layout-mark"
"""An attribute that marks a control's element with the place of its markup."""

_SPACE = r"[ \t\n\f\r]"
_VALUE = r"=(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^ \t\n\f\r\"'<>=`]++)"
_ATTRIBUTE = rf"{_SPACE}++[a-zA-Z][\w:.-]*+(?:{_VALUE})?+"
_ATTRIBUTES = rf"(?:{_ATTRIBUTE})*+{_SPACE}*+"
_ONE_ATTRIBUTE = re.compile(rf"{_SPACE}++(?P<name>[a-zA-Z][\w:.-]*+)(?P<value>{_VALUE})?+", re.ASCII)
_FEW_ATTRIBUTES = rf"(?:{_ATTRIBUTE}){{0,20}}+{_SPACE}*+"
_OPTIONS = re.compile(
    rf"[^<>]*+(?:(?:<option{_FEW_ATTRIBUTES}>|<optgroup{_FEW_ATTRIBUTES}>|</option>|</optgroup>)[^<>]*+)*+",
    re.ASCII | re.IGNORECASE,
)
_OTHER_ATTRIBUTES = rf"(?:(?!{_SPACE}++(?:value|checked|{MARK})[ \t\n\f\r=/>]){_ATTRIBUTE})*+"
_PLAIN_INPUT = re.compile(
    rf"<input(?P<before>{_OTHER_ATTRIBUTES}){_SPACE}++value{_VALUE}(?P<after>{_OTHER_ATTRIBUTES})"
    rf"{_SPACE}*+/?>",
    re.ASCII | re.IGNORECASE,
)
"""An input that has a value and is not checked: nearly all."""
_CONTROL = re.compile(
    rf"(<(?:input{_ATTRIBUTES}/?>|textarea{_ATTRIBUTES}>[^<>]*+</textarea>"
    rf"|select{_ATTRIBUTES}>(?:[^<]++|<(?!/?select))*+</select>))",
    re.ASCII | re.IGNORECASE,
)


def split_controls(html: str) -> list[str] | None:
    """
    What is around controls and the controls' markup in turn. None where a parser replaces characters of contents: NUL,
    and halves of surrogate pairs.
    """
    if "\0" in html:
        return None
    try:
        html.encode()
    except UnicodeEncodeError:
        return None
    return _CONTROL.split(html)


def find_shape(text: str) -> str:
    """A control's markup without its content; all of it where that can't be told."""
    plain = _PLAIN_INPUT.fullmatch(text)
    if plain is not None:
        return f"<input{plain['before']} value={plain['after']}>"
    tag, attributes, rest = _split_tag(text)
    if tag != "input":
        content, _, _ = rest[1:].rpartition("</")
        is_plain = tag == "textarea" or _OPTIONS.fullmatch(content) is not None
        return text[: len(text) - len(rest)] + ">" if is_plain else text
    pieces, names = ["<input"], set[str]()
    for match in _ONE_ATTRIBUTE.finditer(attributes):
        name = match["name"].lower()
        if name in names or name == MARK:
            return text
        names.add(name)
        if name == "value":
            pieces.append(" value" if match["value"] is None else " value=")
        elif name != "checked":
            pieces.append(match[0])
    return "".join((*pieces, ">"))


def mark_control(text: str, place: int) -> str:
    """The markup with a mark in its tag."""
    end = len(_split_tag(text)[0]) + 1
    return f'{text[:end]} {MARK}="{place}"{text[end:]}'


def scramble_control(text: str, place: int) -> str:
    """The markup with a mark and another content."""
    tag, attributes, _ = _split_tag(text)
    word = f"zq{place}zq"
    head = f'{text[: len(tag) + 1]} {MARK}="{place}"'
    if tag == "textarea":
        return f"{head}{attributes}>{word}</textarea>"
    if tag == "select":
        return f'{head}{attributes}><option value="{word}">{word}</option></select>'
    pieces = [head]
    has_check = False
    for match in _ONE_ATTRIBUTE.finditer(attributes):
        name = match["name"].lower()
        if name == "checked":
            has_check = True
        elif name == "value" and match["value"] is not None:
            pieces.append(f' value="{word}"')
        else:
            pieces.append(match[0])
    return "".join((*pieces, "" if has_check else " checked", ">"))


def _split_tag(text: str) -> tuple[str, str, str]:
    """The tag's name in lower case, its attributes, and the rest from the tag's end on."""
    name = re.match(r"<([a-zA-Z]+)", text)
    assert name is not None, "only controls are split off"
    position = name.end()
    while (match := _ONE_ATTRIBUTE.match(text, position)) is not None:
        position = match.end()
    return name[1].lower(), text[name.end() : position], text[position:].lstrip(" \t\n\f\r")
