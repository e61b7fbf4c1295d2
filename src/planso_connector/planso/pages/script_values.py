"""
Find controls that a script fills after the page has loaded: their markup does not hold what a browser would send, and a
save of the whole form would blank them.

A control counts only where its value in the markup is empty and a value is next to it (`data-date`, `data-value`,
`data-text`, an editable block, a drop-down's text), or where a script of the page or the answer's `functions` sets it
while the page loads. A `<select>` with options never counts: a browser sends what is selected there.
"""

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborNode, SelectolaxError

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import ScriptValue
from planso_connector.planso.pages.form_tree import ControlElement, FormTree
from planso_connector.planso.pages.nodes import list_classes, read_node_text
from planso_connector.planso.pages.text import collapse_whitespace, is_placeholder, label_key
from planso_connector.planso.pages.value_sanitization import sanitize_value

MAX_CODE = 500_000
"""Characters of a form's scripts; PlanSo's own have 30,000."""
MAX_SETTINGS = 5_000
"""Places in a form's scripts that set controls."""

_NO_TEXT_TYPES = frozenset({"checkbox", "radio", "color", "range"})
_VALUE_ATTRIBUTES = ("data-value", "data-date", "data-selected", "data-text")
_ATTRIBUTE_SET = frozenset(_VALUE_ATTRIBUTES)
_NO_VALUE = re.compile(r"[0\s\xa0.:/-]*|null|undefined|none|nan|false", re.IGNORECASE)
_SCRIPT = "a script"
_JS_TEXT = r"\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+'"
_JQUERY = re.compile(rf"(?:\$|jQuery)\(\s*(?P<selector>{_JS_TEXT})\s*\)")
_DOM = re.compile(
    rf"document\s*\.\s*(?P<how>getElementById|getElementsByName|querySelector(?:All)?)\(\s*(?P<what>{_JS_TEXT})\s*\)"
    r"(?:\s*\[\s*0\s*\])?"
)
_ALIAS = re.compile(r"(?:\b(?:var|let|const)\s+|[;{}\n]\s*)(?P<name>[A-Za-z_$][\w$]*)\s*=\s*$")
_ALIAS_USE = re.compile(r"(?<![\w$.])[A-Za-z_$][\w$]*+(?=\s*\.)")
_SETS = re.compile(
    r"\s*\.\s*(?:(?:val|html|text|append)\(\s*(?P<val>[^)\s][^)]{0,2000})\)"
    r"|(?:attr|prop)\(\s*['\"]value['\"]\s*,\s*(?P<attr>[^)]{1,2000})\)"
    r"|(?:attr|prop)\(\s*['\"]checked['\"]\s*,\s*(?P<checked>[^)]{1,2000})\)|checked\s*=(?!=)\s*(?P<box>[^;\n]{1,2000})"
    r"|(?:datepicker|datetimepicker|select2|dropdown|calendar|timepicker|combobox|selectpicker|chosen)\(\s*"
    r"['\"](?:setDate|set date|update|val|data|set selected|set value|set exactly|setTime|setValue)['\"]"
    r"\s*,\s*(?P<widget>[^)]{1,2000})\)"
    r"|value\s*=(?!=)\s*(?P<dom>[^;\n]{1,2000}))"
)
_FILLS_OPTIONS = re.compile(
    r"\s*\.\s*(?:select2\(\s*\{[^;]{0,2000}?\b(?:data|ajax)\b|append\(|html\(|load\("
    r"|dropdown\(\s*\{[^;]{0,2000}?\bvalues\b)",
    re.DOTALL,
)
_CHAIN = re.compile(r"\s*\.\s*[A-Za-z_$][\w$]*\((?:[^()]|\([^()]{0,2000}\)){0,2000}\)")
_ESCAPE = re.compile(
    r"\\(?:u(?P<unicode>[0-9a-fA-F]{4})|u\{(?P<braces>[0-9a-fA-F]{1,6})\}|x(?P<byte>[0-9a-fA-F]{2})|(?P<sign>.))",
    re.DOTALL,
)
_ESCAPED_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_LITERAL = re.compile(rf"(?:{_JS_TEXT}|-?\d+(?:\.\d+)?|true|false)\s*")
_UNCHECKED = frozenset({"false", "0", ""})
_HANDLER = re.compile(
    r"\.\s*(?:on|one|bind|live|delegate|addEventListener)\(|\.\s*(?:click|change|blur|focus|focusout|focusin|input"
    r"|keyup|keydown|keypress|submit|dblclick|hover|mouseover|select)\(\s*(?=function|\(|[\w$]+\s*=>)"
    r"|\bon[A-Z]\w*\s*:\s*(?=function|\(|[\w$]+\s*=>)|\.\s*on\w+\s*=\s*(?=function|\(|[\w$]+\s*=>)"
)
_NAMED_FUNCTION = re.compile(
    r"\bfunction\s+(?P<name>[A-Za-z_$][\w$]*)\s*\(|\b(?P<variable>[A-Za-z_$][\w$]*)\s*=\s*function\s*\("
)
_LITERALS = re.compile(rf"{_JS_TEXT}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_WORD = re.compile(r"(?<![\w$])[A-Za-z_$][\w$]*+")


class _Setting(NamedTuple):
    """A place in a script that sets the controls of a selector; `literal` is None where the value is computed."""

    selector: str
    literal: str | None
    fills_options: bool = False
    """It gives a select its options, and sets no value."""
    checks: bool = False


def read_script_values(tree: FormTree, functions: str, dropdowns: Collection[int]) -> dict[int, ScriptValue]:
    """
    What scripts put into controls, by the control's id. `functions` is the script that came with the page, `dropdowns`
    the ids of the hidden inputs that belong to drop-downs. Raises PageTooLarge.
    """
    found: dict[int, ScriptValue] = {}
    for element in tree.controls:
        is_dropdown = element.id in dropdowns
        if is_dropdown or element.type == "textarea" or not _ATTRIBUTE_SET.isdisjoint(element.attributes):
            value = _find_value_beside(tree, element, is_dropdown=is_dropdown)
            if value is not None:
                found[element.id] = value
    code = functions + "".join(f"\n;{node.text()}" for node in tree.scripts)
    if len(code) > MAX_CODE:
        raise PageTooLarge(f"its scripts have {len(code)} characters; at most {MAX_CODE} are read")
    settings = list(islice(_find_settings(code), MAX_SETTINGS + 1)) if "(" in code else []
    if len(settings) > MAX_SETTINGS:
        raise PageTooLarge(f"its scripts set controls in more than {MAX_SETTINGS} places")
    selected: dict[str, list[ControlElement]] = {}
    for setting in settings:
        if setting.selector not in selected:
            selected[setting.selector] = _select(tree, setting.selector)
        for element in selected[setting.selector]:
            value = _apply(tree, element, setting)
            if value is not None:
                found.setdefault(element.id, value)
    return found


# Values beside a control ---------------------------------------------------------------------------------------------


def _find_value_beside(tree: FormTree, element: ControlElement, *, is_dropdown: bool) -> ScriptValue | None:
    if element.type in _NO_TEXT_TYPES or not element.name:
        return None
    value = _read_value_beside(element, is_dropdown=is_dropdown)
    return value if value is not None and not _read_value(tree, element) else None


def _read_value_beside(element: ControlElement, *, is_dropdown: bool) -> ScriptValue | None:
    texts = {name: element.attributes.get(name) or "" for name in _VALUE_ATTRIBUTES}
    texts = {name: text for name, text in texts.items() if _is_value(name, text)}
    if texts:
        source, first = next(iter(texts.items()))
        value = next((text for name, text in texts.items() if name != "data-text"), None)
        return ScriptValue(value or first, texts.get("data-text") or value or "", source)
    if is_dropdown:
        text = _read_dropdown_text(element)
        return ScriptValue(None, text, "the drop-down's text") if text else None
    text = _read_editor_text(element) if element.type == "textarea" else ""
    return ScriptValue(text, text, "an editable block") if text else None


def _is_value(attribute: str, text: str) -> bool:
    if _NO_VALUE.fullmatch(text.strip()) or is_placeholder(text):
        return False
    return attribute != "data-date" or any(map(str.isdigit, text))


def _read_value(tree: FormTree, element: ControlElement) -> str:
    """The control's value in the markup; of a select the text of the first option that is no placeholder."""
    attributes = tree.consult(element)
    if element.type == "select":
        return next((option.text() for option in element.node.css("option") if _is_choice(option)), "")
    if element.type == "textarea":
        return element.node.text()
    return sanitize_value(element.type, attributes.get("value") or "", attributes)


def _is_choice(option: LexborNode) -> bool:
    text = option.text()
    return bool(label_key(text)) and option.attributes.get("value") != "" and not is_placeholder(text)


def _read_dropdown_text(element: ControlElement) -> str:
    """The text of a drop-down's closed state; its placeholder has the class `default`."""
    for node in element.node.parent.css(".text") if element.node.parent is not None else ():
        text = collapse_whitespace(node.text())
        if "default" in list_classes(node) or "data-value" in node.attributes:
            continue
        if label_key(text) and not is_placeholder(text):
            return text
    return ""


def _read_editor_text(element: ControlElement) -> str:
    """The text of an editable block beside a hidden text area, which a script copies into it when it saves."""
    for step in ("prev", "next"):
        node: LexborNode | None = getattr(element.node, step)
        while node is not None and node.is_text_node:
            node = getattr(node, step)
        if node is not None and "contenteditable" in node.attributes:
            is_editable = (node.attributes["contenteditable"] or "true").lower() != "false"
            text = collapse_whitespace(read_node_text(node)) if is_editable else ""
            if text:
                return text
    return ""


# Scripts -------------------------------------------------------------------------------------------------------------


def _apply(tree: FormTree, element: ControlElement, setting: _Setting) -> ScriptValue | None:
    """What the setting makes of the control; None where it changes nothing."""
    literal = setting.literal
    if setting.checks:
        is_checked = "checked" in tree.consult(element)
        is_changed = not is_checked if literal is None else (literal in _UNCHECKED) is is_checked
        return ScriptValue(None, "", _SCRIPT) if element.type in ("checkbox", "radio") and is_changed else None
    if element.type in _NO_TEXT_TYPES or not element.name:
        return None
    current = _read_value(tree, element)
    if element.type == "select":
        return ScriptValue(literal, "", _SCRIPT) if not current else None
    is_unchanged = bool(current) if literal is None else literal == current or not literal.strip()
    return None if setting.fills_options or is_unchanged else ScriptValue(literal, literal or "", _SCRIPT)


def _find_settings(code: str) -> Iterator[_Setting]:
    code = _keep_run_on_load(_drop_handlers(code))
    aliases: dict[str, str] = {}
    for start, end, selector in _find_selections(code):
        alias = _ALIAS.search(code, max(0, start - 80), start)
        if alias is not None:
            aliases[alias["name"]] = selector
        yield from _read_calls(code, end, selector)
    for use in _ALIAS_USE.finditer(code) if aliases else ():
        if use[0] in aliases:
            yield from _read_calls(code, use.end(), aliases[use[0]])


def _find_selections(code: str) -> Iterator[tuple[int, int, str]]:
    """Where a script selects elements: start, end, CSS selector."""
    for match in _JQUERY.finditer(code):
        yield match.start(), match.end(), _parse_text(match["selector"])
    for match in _DOM.finditer(code):
        selector = _parse_text(match["what"])
        if match["how"] == "getElementById":
            selector = f'[id="{selector}"]'
        elif match["how"] == "getElementsByName":
            selector = f'[name="{selector}"]'
        yield match.start(), match.end(), selector


def _read_calls(code: str, position: int, selector: str) -> Iterator[_Setting]:
    """The calls chained to a selection that set it."""
    while True:
        if _FILLS_OPTIONS.match(code, position):
            yield _Setting(selector, None, fills_options=True)
        found = _SETS.match(code, position)
        if found is not None:
            value = next(text for text in found.groups() if text is not None).strip()
            checks = found["checked"] is not None or found["box"] is not None
            yield _Setting(selector, _parse_literal(value), checks=checks)
        chained = _CHAIN.match(code, position)
        if chained is None:
            return
        position = chained.end()


def _parse_literal(code: str) -> str | None:
    if not _LITERAL.fullmatch(code):
        return None
    return _parse_text(code.strip()) if code[0] in "\"'" else code.strip()


def _parse_text(literal: str) -> str:
    text = _ESCAPE.sub(_unescape, literal[1:-1])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two escapes can be one character


def _unescape(escape: re.Match[str]) -> str:
    digits = escape["unicode"] or escape["braces"] or escape["byte"]
    if digits:
        code_point = int(digits, 16)
        return chr(code_point) if code_point < 0x110000 else "\ufffd"
    return _ESCAPED_CHARACTERS.get(escape["sign"], escape["sign"])


def _drop_handlers(code: str) -> str:
    """Without comments, and without the functions that run only when somebody clicks or types."""
    code = _LITERALS.sub(lambda match: " " if match[0].startswith("/") else match[0], code)
    kept, position = [], 0
    for match in _HANDLER.finditer(code):
        if match.start() < position:
            continue
        kept.append(code[position : match.start()])
        is_call = match[0].endswith("(")
        position = _find_bracket_end(code, match.end() - 1) if is_call else _find_function_end(code, match.end())
    return "".join((*kept, code[position:]))


def _keep_run_on_load(code: str) -> str:
    """Without the named functions that nothing in the rest of the code mentions."""
    kept, position = [], 0
    bodies: dict[str, str] = {}
    for match in _NAMED_FUNCTION.finditer(code):
        if match.start() >= position:
            kept.append(code[position : match.start()])
            position = _find_function_end(code, match.end())
            bodies[match["name"] or match["variable"]] = code[match.end() : position]
    pieces = ["".join((*kept, code[position:]))]
    words = set(_WORD.findall(pieces[0]))
    while mentioned := [name for name in bodies if name in words]:
        found = [bodies.pop(name) for name in mentioned]
        words = {word for body in found for word in _WORD.findall(body)}
        pieces += [f"\n;{body}" for body in found]
    return "".join(pieces)


def _find_function_end(code: str, start: int) -> int:
    opening = code.find("{", start)
    return _find_bracket_end(code, opening) if opening >= 0 else len(code)


def _find_bracket_end(code: str, opening: int) -> int:
    """The position behind the bracket that closes the one at `opening`."""
    depth, position = 0, opening
    while position < len(code):
        character = code[position]
        if character in "\"'":
            literal = _LITERALS.match(code, position)
            position = literal.end() if literal is not None else position + 1
            continue
        depth += (character in "([{") - (character in ")]}")
        position += 1
        if depth == 0:
            return position
    return len(code)


def _select(tree: FormTree, selector: str) -> list[ControlElement]:
    """The controls that a selector finds; what only jQuery knows in it (`:input`) is left out."""
    for text in (selector, re.sub(r":(?!not|nth|first-child|last-child)[a-z-]+(\([^)]*\))?", "", selector)):
        try:
            nodes = tree.root.css(text) if text.strip() else []
        except SelectolaxError:
            continue
        return [tree.controls_by_id[node.mem_id] for node in nodes if node.mem_id in tree.controls_by_id]
    match = re.search(r"name\s*[$^*]?=\s*['\"]?([^'\"]+?)['\"]?\s*\]\s*$", selector)
    name = match[1].replace("\\", "") if match is not None else ""
    return [element for element in tree.controls if name and element.name == name]
