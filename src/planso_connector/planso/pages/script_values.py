"""
Controls that a script fills after the page has loaded: the markup alone does not hold what a browser would send. Saving
the form with the empty value of the markup would blank them.

A control counts only where its value in the markup is empty and a value stands beside it (`data-date`, `data-value`,
`data-text`, an editable block, a drop-down's text), or where a script of the page or the answer's `functions` sets it
while the page loads. A `<select>` with options is never one: a browser sends what is selected there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborNode, SelectolaxError

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.control import ScriptValue
from planso_connector.planso.pages.form_tree import ControlElement, FormTree
from planso_connector.planso.pages.nodes import read_node_text
from planso_connector.planso.pages.text import collapse_whitespace, is_placeholder, label_key
from planso_connector.planso.pages.value_sanitization import sanitize_value

_VALUE_TYPES_NOT = frozenset({"checkbox", "radio", "color", "range"})
_VALUES = ("data-value", "data-date", "data-selected", "data-text")
_ATTRIBUTES = frozenset(_VALUES)
_NOTHING = re.compile(r"[0\s\xa0.:/-]*|null|undefined|none|nan|false", re.IGNORECASE)
MAX_CODE = 500_000
"""Characters of a form's scripts; PlanSo's own have 30,000."""
MAX_SETTINGS = 5_000
"""Places in a form's scripts that set controls."""
_JS_TEXT = r"\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+'"
_SELECTED = re.compile(rf"(?:\$|jQuery)\(\s*(?P<selector>{_JS_TEXT})\s*\)")
_BY_DOM = re.compile(
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
_FILLS_SELECT = re.compile(
    r"\s*\.\s*(?:select2\(\s*\{[^;]{0,2000}?\b(?:data|ajax)\b|append\(|html\(|load\("
    r"|dropdown\(\s*\{[^;]{0,2000}?\bvalues\b)",
    re.DOTALL,
)
_CHAIN = re.compile(r"\s*\.\s*[A-Za-z_$][\w$]*\((?:[^()]|\([^()]{0,2000}\)){0,2000}\)")
_ESCAPE = re.compile(
    r"\\(?:u(?P<unicode>[0-9a-fA-F]{4})|u\{(?P<braces>[0-9a-fA-F]{1,6})\}|x(?P<byte>[0-9a-fA-F]{2})|(?P<sign>.))",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
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
    """A place in a script that sets a control; `literal` is None where the value is computed."""

    selector: str
    literal: str | None
    fills_select: bool = False
    checks: bool = False


def read_script_values(tree: FormTree, functions: str, with_items: Collection[int]) -> dict[int, ScriptValue]:
    """What scripts put into controls, by the control's id. `with_items` are the hidden inputs of drop-downs."""
    filled: dict[int, ScriptValue] = {}
    for element in tree.controls:
        if not _ATTRIBUTES.isdisjoint(element.attributes) or element.id in with_items or element.type == "textarea":
            found = _beside(element, element.id in with_items)
            if found is not None:
                filled[element.id] = found
    code = functions
    code += "".join(f"\n;{node.text()}" for node in tree.scripts)
    if len(code) > MAX_CODE:
        raise PageTooLarge(f"its scripts have {len(code)} characters; at most {MAX_CODE} are read")
    settings = list(islice(_settings(code), MAX_SETTINGS + 1)) if "(" in code else []
    if len(settings) > MAX_SETTINGS:
        raise PageTooLarge(f"its scripts set controls in more than {MAX_SETTINGS} places")
    selected: dict[str, Sequence[ControlElement]] = {}
    for setting in settings:
        if setting.selector not in selected:
            selected[setting.selector] = _selected(tree, setting.selector)
        for element in selected[setting.selector]:
            found = _set(element, setting)
            if found is not None:
                filled.setdefault(element.id, found)
    return filled


def _beside(element: ControlElement, has_items: bool) -> ScriptValue | None:
    if element.type in _VALUE_TYPES_NOT or not element.name or _holds_something(element):
        return None
    attributes = element.attributes
    found = {name: attributes[name] or "" for name in _VALUES if name in attributes}
    found = {name: text for name, text in found.items() if _is_value(name, text)}
    if found:
        value = next((found[name] for name in _VALUES[:3] if name in found), None)
        name = next(iter(found))
        return ScriptValue(value or found[name], found.get("data-text") or value or "", name)
    if has_items:
        text = _shown_by_dropdown(element)
        return ScriptValue(None, text, "the drop-down's text") if text else None
    text = _edited_beside(element) if element.type == "textarea" else ""
    return ScriptValue(text, text, "an editable block") if text else None


def _is_value(name: str, text: str) -> bool:
    if _NOTHING.fullmatch(text.strip()) or is_placeholder(text):
        return False
    return name != "data-date" or any(map(str.isdigit, text))


def _holds_something(element: ControlElement) -> bool:
    if element.type == "select":
        return any(_says_something(option) for option in element.node.css("option"))
    if element.type == "textarea":
        return bool(element.node.text())
    return bool(sanitize_value(element.type, element.attributes.get("value") or "", element.attributes))


def _says_something(option: LexborNode) -> bool:
    """Whether an option is no mere placeholder."""
    text = collapse_whitespace(option.text())
    return bool(label_key(text)) and option.attributes.get("value") != "" and not is_placeholder(text)


def _shown_by_dropdown(element: ControlElement) -> str:
    """The text of a drop-down's closed state; its placeholder has the class `default`."""
    for node in element.node.parent.css(".text") if element.node.parent is not None else ():
        classes = (node.attributes.get("class") or "").split()
        text = collapse_whitespace(node.text())
        if (
            "default" not in classes
            and label_key(text)
            and not is_placeholder(text)
            and "data-value" not in node.attributes
        ):
            return text
    return ""


def _edited_beside(element: ControlElement) -> str:
    """The text of an editable block beside a hidden text area, which a script copies into it when it saves."""
    for step in ("prev", "next"):
        node = getattr(element.node, step)
        while node is not None and node.is_text_node:
            node = getattr(node, step)
        if node is not None and (node.attributes.get("contenteditable") or "true").lower() != "false":
            text = collapse_whitespace(read_node_text(node)) if "contenteditable" in node.attributes else ""
            if text:
                return text
    return ""


def _set(element: ControlElement, setting: _Setting) -> ScriptValue | None:
    if setting.checks:
        is_checked = "checked" in element.attributes
        is_changed = not is_checked if setting.literal is None else (setting.literal in _UNCHECKED) is is_checked
        return ScriptValue(None, "", "a script") if element.type in ("checkbox", "radio") and is_changed else None
    if element.type in _VALUE_TYPES_NOT or not element.name:
        return None
    if element.type == "select":
        is_filled = not _holds_something(element)
        return ScriptValue(setting.literal, "", "a script") if is_filled else None
    if setting.fills_select:
        return None
    held = sanitize_value(element.type, element.attributes.get("value") or "", element.attributes)
    if element.type == "textarea":
        held = element.node.text()
    literal = setting.literal
    if literal is not None and (literal == held or not literal.strip()):
        return None
    if held and literal is None:
        return None
    return ScriptValue(literal, literal or "", "a script")


def _settings(code: str) -> Iterator[_Setting]:
    code = _run_at_once(_without_handlers(code))
    aliases: dict[str, str] = {}
    for match in _targets(code):
        before = _ALIAS.search(code, max(0, match.start - 80), match.start)
        if before is not None:
            aliases[before["name"]] = match.selector
        yield from _calls(code, match.end, match.selector)
    for use in _ALIAS_USE.finditer(code) if aliases else ():
        if use[0] in aliases:
            yield from _calls(code, use.end(), aliases[use[0]])


class _Target(NamedTuple):
    start: int
    end: int
    selector: str


def _targets(code: str) -> Iterator[_Target]:
    for match in _SELECTED.finditer(code):
        yield _Target(match.start(), match.end(), _text(match["selector"]))
    for match in _BY_DOM.finditer(code):
        what = _text(match["what"])
        if match["how"] == "getElementById":
            what = f'[id="{what}"]'
        elif match["how"] == "getElementsByName":
            what = f'[name="{what}"]'
        yield _Target(match.start(), match.end(), what)


def _calls(code: str, at: int, selector: str) -> Iterator[_Setting]:
    """The calls chained to a selected element that set it."""
    while True:
        if _FILLS_SELECT.match(code, at):
            yield _Setting(selector, None, fills_select=True)
        found = _SETS.match(code, at)
        if found is not None:
            value = next(text for text in found.groups() if text is not None).strip()
            checks = found["checked"] is not None or found["box"] is not None
            yield _Setting(selector, _literal(value), checks=checks)
        chained = _CHAIN.match(code, at)
        if chained is None:
            return
        at = chained.end()


def _literal(code: str) -> str | None:
    return (_text(code.strip()) if code[0] in "\"'" else code.strip()) if _LITERAL.fullmatch(code) else None


def _text(literal: str) -> str:
    """What a JavaScript string literal says."""
    text = _ESCAPE.sub(_unescaped, literal[1:-1])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two escapes can be one character


def _unescaped(escape: re.Match[str]) -> str:
    code = escape["unicode"] or escape["braces"] or escape["byte"]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    return _ESCAPES.get(escape["sign"], escape["sign"])


def _without_handlers(code: str) -> str:
    """Without the functions that run only when somebody clicks or types, and without comments."""
    code = _LITERALS.sub(lambda match: " " if match[0].startswith("/") else match[0], code)
    kept, at = [], 0
    for match in _HANDLER.finditer(code):
        if match.start() < at:
            continue
        kept.append(code[at : match.start()])
        at = _end(code, match.end() - 1) if match[0].endswith("(") else _end_of_function(code, match.end())
    kept.append(code[at:])
    return "".join(kept)


def _run_at_once(code: str) -> str:
    """Without the named functions that nothing in the rest of the code mentions."""
    kept, at = [], 0
    bodies: dict[str, str] = {}
    for match in _NAMED_FUNCTION.finditer(code):
        if match.start() >= at:
            kept.append(code[at : match.start()])
            at = _end_of_function(code, match.end())
            bodies[match["name"] or match["variable"]] = code[match.end() : at]
    run = "".join(kept) + code[at:]
    pieces = [run]
    words = set(_WORD.findall(run))
    while mentioned := [name for name in bodies if name in words]:
        found = [bodies.pop(name) for name in mentioned]
        words = {word for body in found for word in _WORD.findall(body)}
        pieces += [f"\n;{body}" for body in found]
    return "".join(pieces)


def _end_of_function(code: str, start: int) -> int:
    opening = code.find("{", start)
    return _end(code, opening) if opening >= 0 else len(code)


def _end(code: str, opening: int) -> int:
    """Behind the bracket that closes the one at `opening`."""
    depth, at = 0, opening
    while at < len(code):
        character = code[at]
        if character in "\"'":
            literal = _LITERALS.match(code, at)
            at = literal.end() if literal is not None else at + 1
            continue
        depth += (character in "([{") - (character in ")]}")
        at += 1
        if depth == 0:
            return at
    return len(code)


def _selected(tree: FormTree, selector: str) -> Sequence[ControlElement]:
    """The controls that a selector finds; what only jQuery knows in it (`:input`) is left out."""
    for text in (selector, re.sub(r":(?!not|nth|first-child|last-child)[a-z-]+(\([^)]*\))?", "", selector)):
        try:
            nodes = tree.root.css(text) if text.strip() else []
        except SelectolaxError:
            continue
        return [tree.controls_by_id[node.mem_id] for node in nodes if node.mem_id in tree.controls_by_id]
    named = re.search(r"name\s*[$^*]?=\s*['\"]?([^'\"]+?)['\"]?\s*\]\s*$", selector)
    wanted = named[1].replace("\\", "") if named is not None else ""
    return [element for element in tree.controls if wanted and element.name == wanted]
