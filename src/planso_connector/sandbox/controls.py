"""One control of a form, as it is rendered and as a browser would submit it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from planso_connector.sandbox.form_fields import Option

ControlKind = Literal["text", "long", "select", "multi", "checkbox", "radio", "file", "locked", "hidden"]


@dataclass(frozen=True)
class Control:
    """A control with a label, or one without: a hidden input, a cell of a child row."""

    label: str
    usual_label: str
    name: str
    kind: ControlKind
    values: tuple[str, ...]
    options: tuple[Option, ...] = ()
    hidden_zero: bool = False
    script_filled: Literal["", "data", "functions"] = ""
    """Where the value is instead of in the control: a `data-` attribute, or the answer's `functions`."""
    is_date: bool = False

    @property
    def value(self) -> str:
        """The first value; "" for none."""
        return self.values[0] if self.values else ""

    def serialize(self) -> Iterator[tuple[str, str]]:
        """The pairs of jQuery's `serialize()`; line breaks become CR LF."""
        if self.kind in ("file", "locked"):
            return
        if self.hidden_zero:
            yield self.name, "0"
        for value in self.values:
            yield self.name, value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
