"""Parse the form of a recording: markup, labels, names and options, without its values."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from planso_connector.sandbox.form_fields import FIELDS, FormField, InputKind, Option
from planso_connector.sandbox.php import escape

_CONTROLS = ("input", "select", "textarea")
_NOT_SENT = ("submit", "button", "image", "reset", "file")
_VOID = frozenset(
    ("input", "br", "hr", "img", "meta", "link", "col", "wbr", "area", "base", "embed", "source", "track", "param")
)
_LABEL_LIKE = frozenset(("label", "legend", "th", "dt"))
_DROPPED = frozenset(("script", "style", "-comment", "!doctype", "-doctype", "template", "iframe", "object"))
_KEPT_ATTRIBUTES = re.compile(
    "class|id|name|for|type|multiple|disabled|readonly|required|rows|cols|maxlength|size|role|hidden|colspan|rowspan|"
    "tabindex|autocomplete|method|min|max|step"
)
_WORDED_ATTRIBUTES = frozenset(("title", "placeholder", "aria-label"))
_TECHNICAL = re.compile(r"[A-Za-z_#.:/-]{0,40}")
ValueShape = Literal[
    "empty", "iso", "iso_time", "german", "german_time", "time", "decimal", "number", "email", "token", "text"
]
"""The kind of a recorded value, which is all that is kept of it."""

ALIASES = {
    "Halter": "Fahrername",
    "Fahrer": "Fahrername",
    "Kunde": "Fahrername",
    "Name": "Fahrername",
    "Telefonnummer": "Telefon",
    "Mobil": "Telefon",
    "E-Mail": "Kunden E-Mail",
    "KM": "Kilometerstand",
    "Farbe Nr": "Farbe Nummer",
    "Fahrgestellnummer": "VIN",
    "Amtl. Kennzeichen": "Kennzeichen",
}
"""The usual label by other installations' captions."""

_KNOWN = FIELDS.keys() | ALIASES.keys()


@dataclass(frozen=True)
class RecordedField:
    """The inputs of one name: the field, and the kind and length of each value."""

    name: str
    field: FormField
    shapes: tuple[ValueShape, ...]
    lengths: tuple[int, ...]
    input_type: str = "text"
    is_hidden: bool = False
    hidden_zero: bool = False
    script_filled: Literal["", "data", "functions"] = ""
    is_order_id: bool = False


@dataclass(frozen=True)
class ControlSlot:
    """The place of one control in the markup. `at`: its index among the inputs of its name. `own`: a box's value."""

    name: str
    tag: str
    attributes: str
    at: int = 0
    own: str | None = None
    data: str = ""


@dataclass
class RecordedForm:
    """The markup with slots for controls, and the fields by usual label."""

    pieces: list[str | ControlSlot] = field(default_factory=list)
    fields: dict[str, RecordedField] = field(default_factory=dict)


def parse_recorded_form(content: str, functions: str, order_id: str) -> RecordedForm:
    """Parse the form's markup and the answer's `functions`."""
    body = LexborHTMLParser(content).body
    return _Reader(functions, order_id, body).form if body is not None else RecordedForm()


class _Reader:
    """Walks the markup twice: for the fields, and for the markup without values."""

    def __init__(self, functions: str, order_id: str, body: LexborNode) -> None:
        self._functions, self._order_id = functions, order_id
        self._nodes = [node for node in body.css(", ".join(_CONTROLS)) if _is_sent(node)]
        values = _private_values(body)
        self._private = {word for value in values for word in re.findall(r"[^\W_]{3,}", value)}
        self._values = {value for value in values if len(value) >= 4 and re.search(r"[\s\d]", value)}
        self._seen: dict[str, int] = {}
        self.form = RecordedForm()
        for name in dict.fromkeys(node.attributes["name"] or "" for node in self._nodes):
            nodes = [node for node in self._nodes if node.attributes["name"] == name]
            self._add(self._field(name, nodes))
        for child in body.iter(include_text=True):
            self._keep(child)

    def _add(self, made: RecordedField) -> None:
        usual_label, number = made.field.label, 2
        while usual_label in self.form.fields:
            usual_label, number = f"{made.field.label} ({number})", number + 1
        kept = FormField(usual_label, made.field.kind, made.field.options, caption=made.field.caption)
        self.form.fields[usual_label] = RecordedField(**{**vars(made), "field": kept})

    # -- fields

    def _field(self, name: str, nodes: list[LexborNode]) -> RecordedField:
        boxes = [node for node in nodes if _type(node) in ("checkbox", "radio")]
        visible = [node for node in nodes if _type(node) != "hidden"]
        main = (boxes or visible or nodes)[0]
        caption = "" if not visible else self._caption(main)
        kind, options = self._kind(main, boxes)
        values = [] if boxes else [_value(node) for node in nodes]
        usual_label = ALIASES.get(caption, caption)
        is_usual = usual_label in FIELDS and (kind != "text" or FIELDS[usual_label].kind != "locked")
        if kind == "text" and is_usual and FIELDS[usual_label].kind in ("date", "datetime"):
            kind = FIELDS[usual_label].kind
        label = usual_label if is_usual else (caption or name)
        return RecordedField(
            name=name,
            field=FormField(label, kind, options, caption=caption),
            shapes=tuple(_shape(value) for value in values),
            lengths=tuple(len(value) for value in values),
            input_type=_type(main),
            is_hidden=not visible,
            hidden_zero=bool(boxes) and len(nodes) > len(boxes),
            script_filled=self._script_filled(name, main),
            is_order_id=not visible and values[:1] == [self._order_id] != [""],
        )

    def _kind(self, main: LexborNode, boxes: list[LexborNode]) -> tuple[InputKind, tuple[Option, ...]]:
        if boxes:
            options = tuple(
                Option(box.attributes.get("value") or "on", self._own_text(box) or box.attributes.get("value") or "on")
                for box in boxes
            )
            return ("radio" if _type(main) == "radio" else "multi"), options
        if main.tag == "select":
            return ("multi" if "multiple" in main.attributes else "select"), tuple(_options(main))
        return ("long" if main.tag == "textarea" else "text"), ()

    def _script_filled(self, name: str, node: LexborNode) -> Literal["", "data", "functions"]:
        if node.tag == "select" or _type(node) in ("checkbox", "radio") or _value(node):
            return ""
        if node.attributes.get("data-date") or node.attributes.get("data-value"):
            return "data"
        return "functions" if f'"{name}"' in self._functions or f"'{name}'" in self._functions else ""

    def _caption(self, node: LexborNode) -> str:
        """The label's text: by `for`, a label around the control, or the nearest label before it."""
        identifier = node.attributes.get("id")
        root = node
        while root.parent is not None:
            root = root.parent
        if identifier:
            for label in root.css("label[for]"):
                if label.attributes["for"] == identifier:
                    return _words(_text(label))
        block: LexborNode | None = node.parent
        for _ in range(4):
            if block is None or block.tag in ("form", "body", "table", "tbody", "fieldset"):
                break
            found = next(
                (n for n in (block, *block.css("label, th, td, dt")) if n.tag in ("label", "th", "td", "dt")), None
            )
            if found is not None and (text := _words(_text(found))):
                return text
            block = block.parent
        return _words(next((node.attributes[a] or "" for a in _WORDED_ATTRIBUTES if node.attributes.get(a)), ""))

    def _own_text(self, box: LexborNode) -> str:
        """The text right after a box, unless it may be a value."""
        follower = box.next
        text = _words(follower.text(deep=False) or "") if follower is not None and follower.tag == "-text" else ""
        return text if text and not self._is_private(text) else ""

    # -- markup

    def _keep(self, node: LexborNode) -> None:
        if node.tag == "-text":
            self._keep_text(node)
        elif node.tag in _CONTROLS:
            self._keep_control(node)
        elif node.tag not in _DROPPED:
            self.form.pieces.append(f"<{node.tag}{self._attributes(node)}>")
            if node.tag not in _VOID:
                for child in node.iter(include_text=True):
                    self._keep(child)
                self.form.pieces.append(f"</{node.tag}>")

    def _keep_text(self, node: LexborNode) -> None:
        text = node.text(deep=False) or ""
        if not text.strip():
            self.form.pieces.append(text)
        elif self._is_caption(node, text):
            self.form.pieces.append(escape(text))

    def _keep_control(self, node: LexborNode) -> None:
        name, kind = node.attributes.get("name") or "", _type(node)
        at = self._seen.get(name, 0)
        boxed = kind in ("checkbox", "radio")
        if name and _is_sent(node) and not boxed:
            self._seen[name] = at + 1
        data = next((attribute for attribute in ("data-date", "data-value") if node.attributes.get(attribute)), "")
        own = (node.attributes.get("value") or "on") if boxed else None
        sent = name if _is_sent(node) else ""
        self.form.pieces.append(ControlSlot(sent, node.tag or "input", self._attributes(node), at, own, data))

    def _attributes(self, node: LexborNode) -> str:
        kept = ""
        for name, value in node.attributes.items():
            if name in ("value", "checked", "selected", "data-date", "data-value"):
                continue
            text = value or ""
            is_kept = (
                _KEPT_ATTRIBUTES.fullmatch(name)
                or (name in _WORDED_ATTRIBUTES and not self._is_private(text))
                or (name.startswith("data-") and _TECHNICAL.fullmatch(text) and not self._is_private(text))
            )
            if is_kept:
                kept += f' {name}="{escape(text)}"'
        return kept

    def _is_caption(self, node: LexborNode, text: str) -> bool:
        """Whether a text is in a label, or in a block with controls and holds no value."""
        block = node.parent
        for _ in range(4):
            if block is None or block.tag in ("body", "form"):
                return False
            if block.tag in _LABEL_LIKE:
                return not self._holds_value(text)
            controls = len(block.css(", ".join(_CONTROLS)))
            if controls:
                return controls <= 6 and not self._is_private(text)
            block = block.parent
        return False

    def _holds_value(self, text: str) -> bool:
        """Whether a label's text contains a value of several words or with digits."""
        low = text.lower()
        return "@" in text or re.search(r"\d{5}", text) is not None or any(value in low for value in self._values)

    def _is_private(self, text: str) -> bool:
        """Whether a text may contain a value of a control, an address or a long number."""
        if _words(text) in _KNOWN:
            return False
        words = {word.lower() for word in re.findall(r"[^\W_]{3,}", text)}
        return bool(words & self._private) or "@" in text or re.search(r"\d{4}", text) is not None or len(text) > 120


def _private_values(body: LexborNode) -> set[str]:
    """The lower-case values of all text inputs, without technical values of hidden inputs."""
    values: set[str] = set()
    for node in body.css("input"):
        if _type(node) not in ("checkbox", "radio", "submit", "button"):
            shown = [_value(node), *(node.attributes.get(name) or "" for name in ("data-date", "data-value"))]
            if _type(node) != "hidden" or not all(_TECHNICAL.fullmatch(text) for text in shown):
                values |= {text.lower() for text in shown if text}
    return values


def _is_sent(node: LexborNode) -> bool:
    """Whether a browser would submit the control: named, enabled, not in a template, no button, no file."""
    if not node.attributes.get("name") or _type(node) in _NOT_SENT or "disabled" in node.attributes:
        return False
    parent = node.parent
    while parent is not None:
        if parent.tag in ("noscript", "template") or (parent.tag == "fieldset" and "disabled" in parent.attributes):
            return False
        parent = parent.parent
    return True


def _type(node: LexborNode) -> str:
    return (node.attributes.get("type") or "text").lower() if node.tag == "input" else ""


def _value(node: LexborNode) -> str:
    return (node.text() or "") if node.tag == "textarea" else (node.attributes.get("value") or "")


def _options(node: LexborNode) -> Iterable[Option]:
    for option in node.css("option"):
        text = _words(option.text() or "")
        parent = option.parent
        group = (parent.attributes.get("label") or "") if parent is not None and parent.tag == "optgroup" else ""
        value = option.attributes.get("value")
        yield Option(text if value is None else value, text, group)


def _text(node: LexborNode) -> str:
    """The text of a label without that of its controls."""
    return " ".join(part for part in _texts(node))


def _texts(node: LexborNode) -> Iterator[str]:
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            yield child.text(deep=False) or ""
        elif child.tag not in (*_CONTROLS, *_DROPPED):
            yield from _texts(child)


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip("*: ").strip()


def _shape(value: str) -> ValueShape:
    patterns: tuple[tuple[ValueShape, str], ...] = (
        ("empty", r""),
        ("iso", r"\d{4}-\d\d-\d\d"),
        ("iso_time", r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?"),
        ("german", r"\d\d?\.\d\d?\.\d{2,4}"),
        ("german_time", r"\d\d?\.\d\d?\.\d{2,4} \d\d?:\d\d(:\d\d)?"),
        ("time", r"\d\d?:\d\d"),
        ("decimal", r"-?[\d.]*\d,\d+"),
        ("number", r"\d+"),
        ("email", r"\S+@\S+"),
        ("token", r"[0-9a-fA-F-]{16,}|[\w+/=-]{24,}"),
    )
    return next((shape for shape, pattern in patterns if re.fullmatch(pattern, value)), "text")
