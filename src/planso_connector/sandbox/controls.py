"""One control of a form, as it is shown and as a browser would send it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from planso_connector.sandbox.form_fields import Option

ControlKind = Literal["text", "long", "select", "multi", "checkbox", "radio", "file", "locked", "hidden"]


@dataclass(frozen=True)
class Control:
    """One labelled control of a rendered form, or one without a label: a hidden input, a cell of a child row."""

    label: str
    usual_label: str
    name: str
    kind: ControlKind
    values: tuple[str, ...]
    options: tuple[Option, ...] = ()
    hidden_zero: bool = False
    script_filled: Literal["", "data", "functions"] = ""
    """Where the markup lacks the value: it stands in a `data-` attribute, or in the answer's `functions`."""
    is_date: bool = False

    @property
    def value(self) -> str:
        """The value of a control that has one; `""` otherwise."""
        return self.values[0] if self.values else ""

    def serialize(self) -> Iterator[tuple[str, str]]:
        """The pairs that jQuery's `serialize()` makes of it; line breaks become CR LF."""
        if self.kind in ("file", "locked"):
            return
        if self.hidden_zero:
            yield self.name, "0"
        for value in self.values:
            yield self.name, value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
