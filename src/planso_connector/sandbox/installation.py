"""The properties in which PlanSo installations differ ("varies" in the protocol)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from planso_connector.sandbox.save_style import SaveStyle

if TYPE_CHECKING:
    from planso_connector.sandbox.recorded_installation import RecordedInstallation

OPTIONAL_SELECTS = frozenset({"Kategorie", "Projekt-Status", "E-Teile Status", "Hol-/Bringservice", "Serviceberater"})
"""Labels that are a select or a text input, by installation."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One customer's PlanSo. Sandboxes with the same seed hold the same workshop, whatever their installation."""

    table_id: int = 12565
    username: str = "werkstatt"
    password: str = "demo"
    field_names: int = 1
    """Seed of the `name` attributes (`f_8123`)."""
    list_shape: Literal["object", "list"] = "object"
    ids_as_text: bool = False
    """`"ID": "123"` instead of `"ID": 123`."""
    escaped_markup: bool = False
    """The form's `content` is entity-escaped once more."""
    markup: Literal["div", "table", "for", "wrapped", "busy"] = "div"
    parts_markup: Literal["native", "second", "plain"] = "native"
    """`second`: the cells of a second installation (protocol, section 4), several tables on a page, and sums."""
    parts_script_key: Literal["js", "functions"] = "js"
    column_order: int = 0
    """Seed that shuffles the columns of the parts table; 0 keeps the protocol's order."""
    charset: Literal["utf-8", "iso-8859-1-undeclared"] = "utf-8"
    labels: Mapping[str, str] = field(default_factory=dict)
    """Renamed labels: `{"Fahrername": "Halter"}`."""
    missing_labels: AbstractSet[str] = frozenset()
    """Labels that the form does not have, usual or renamed."""
    plain_selects: bool = False
    """All of OPTIONAL_SELECTS are text inputs."""
    text_labels: AbstractSet[str] = frozenset({"Serviceberater"})
    """Those of OPTIONAL_SELECTS that are text inputs."""
    hidden_zero: AbstractSet[str] = frozenset({"Fahrbereit"})
    """Checkboxes with a hidden "0" of the same name before them, as is usual in PHP."""
    iso_dates: bool = False
    """Date fields hold `2026-11-23` instead of `23.11.2026`."""
    login_redirects: bool = False
    """A successful login answers 302 to `/app?m=start` instead of 200."""
    save_style: SaveStyle = field(default_factory=SaveStyle)
    """The initial style of saving; the knob `save_style` changes it."""
    recorded: "RecordedInstallation | None" = None
    """The form and the saves of a recording, in place of the invented workshop's."""

    def shown_label(self, usual_label: str) -> str:
        """The label that this installation shows."""
        return self.labels.get(usual_label, usual_label)

    def is_select(self, usual_label: str) -> bool:
        """Whether one of OPTIONAL_SELECTS is a select."""
        return not self.plain_selects and usual_label not in self.text_labels
