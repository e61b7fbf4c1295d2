"""What a tester can turn while the sandbox runs: the bad days of a real installation (protocol, section 8)."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Alteration = str | int | Callable[[str], str]
Edit = tuple[int, str, str]


class KnobError(ValueError):
    """A knob that doesn't exist, or a value that it can't take."""


@dataclass
class Knobs:
    """Every knob, effective at once. Those named `..._next` count down with each request or save that they hit."""

    latency: float = 0.0
    """Seconds that each `/do` and `/app` request takes at least."""
    jitter: float = 0.0
    """Up to so many seconds more."""
    save_latency: float = 0.0
    """Seconds more that a save takes until it is carried out, whether somebody waits for it still or not."""
    saves_within: float = 600.0
    """Seconds after which a save that is not carried out yet never is: `fail_status`, and nothing is kept."""
    expire_sessions_after: int | None = None
    """Each login is good for so many `/do` requests."""
    one_session_per_account: bool = False
    """A login ends the account's other sessions."""
    session_lock: bool = False
    """Requests of one session are served one after the other, as PHP does; other sessions don't wait."""
    fail_next: int = 0
    """So many `/do` requests answer `fail_status`."""
    fail_app_next: int = 0
    """So many `/app` requests answer `fail_status`."""
    fail_status: int = 502
    fail_saves_next: int = 0
    """So many saves answer `fail_status` and keep nothing."""
    hang_next: int = 0
    """So many `/do` requests never answer, until the client or the server closes."""
    html_for_json_next: int = 0
    """So many `/do` requests answer 200 with a page that is not the login page."""
    drop_saves_next: int = 0
    """So many saves answer success and keep nothing."""
    refuse_saves: str | None = None
    """Every save is refused with this text."""
    lose_answers_next: int = 0
    """So many saves are applied, and their answer is lost as `lose_answers_by` says."""
    lose_answers_by: Literal["close", "hang", "504"] = "close"
    locked_orders: set[int] = field(default_factory=set)
    """Saving or deleting these is refused: somebody has them open."""
    locked_accounts: set[str] = field(default_factory=set)
    """These can't log in. Three wrong passwords in a row put an account here."""
    edit_after_next_read: list[Edit] = field(default_factory=list)
    """Another person's edits (order, label, value), applied right after the next read of that order's form."""
    edit_before_next_save: list[Edit] = field(default_factory=list)
    """The same, applied when the next save of that order has arrived and is not applied yet."""
    archive_after_next_list: set[int] = field(default_factory=set)
    """These orders are archived right after the next list."""
    empty_form_orders: set[int] = field(default_factory=set)
    """The form of these answers as that of an unknown order: all labels, no values."""
    no_content_orders: set[int] = field(default_factory=set)
    """The form of these answers `{"center": {"content": ""}}`."""
    alter_saved: dict[str, Alteration] = field(default_factory=dict)
    """By label, what PlanSo keeps of a changed value: another text, a function's result, the first N characters."""
    missing_labels: set[str] = field(default_factory=set)
    """Labels that somebody took out of the form."""

    def take(self, name: str) -> bool:
        """Use up one of a `..._next` knob; False when none was left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def take_edits(self, name: Literal["edit_after_next_read", "edit_before_next_save"], order_id: int) -> list[Edit]:
        """Use up the waiting edits of one order."""
        waiting: list[Edit] = getattr(self, name)
        due = [edit for edit in waiting if edit[0] == order_id]
        setattr(self, name, [edit for edit in waiting if edit[0] != order_id])
        return due

    def as_json(self) -> dict[str, Any]:
        """All knobs as JSON values; sets as sorted lists, functions as their name."""
        return {knob.name: _plain(getattr(self, knob.name)) for knob in fields(self)}

    def set_json(self, given: object) -> None:
        """Set the given knobs, all or none. Raises `KnobError`."""
        if not isinstance(given, dict):
            raise KnobError("Erwartet wird ein JSON-Objekt mit Namen und Werten der Stellschrauben.")
        defaults = Knobs()
        known = {knob.name for knob in fields(self)}
        ready: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise KnobError(f"Es gibt keine Stellschraube {name!r}. Es gibt: {', '.join(sorted(known))}.")
            ready[name] = _checked(name, value, getattr(defaults, name))
        for name, value in ready.items():
            setattr(self, name, value)


def _plain(value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, list):
        return [list(entry) for entry in value]
    if isinstance(value, dict):
        return {key: kept if isinstance(kept, (str, int)) else repr(kept) for key, kept in value.items()}
    return value


def _checked(name: str, value: Any, default: Any) -> Any:
    """A JSON value as the knob's own type; the default tells the type."""
    wrong = KnobError(f"{name} kann nicht {value!r} sein.")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    if name == "lose_answers_by":
        return _require(value, value in ("close", "hang", "504"), wrong)
    if name == "expire_sessions_after":
        return _require(value, value is None or (is_number and isinstance(value, int)), wrong)
    if name == "refuse_saves":
        return _require(value, value is None or isinstance(value, str), wrong)
    if name == "fail_status":
        return _require(value, is_number and isinstance(value, int) and 400 <= value <= 599, wrong)
    if isinstance(default, bool):
        return bool(_require(value, isinstance(value, bool), wrong))
    if isinstance(default, float):
        return float(_require(value, is_number and value < 3600, wrong))
    if isinstance(default, int):
        return _require(value, is_number and isinstance(value, int), wrong)
    if isinstance(default, dict):
        fits = isinstance(value, dict) and all(isinstance(kept, (str, int)) for kept in value.values())
        return dict(_require(value, fits, wrong))
    if not isinstance(value, list):
        raise wrong
    if isinstance(default, set):
        kind = str if name in ("locked_accounts", "missing_labels") else int
        return set(_require(value, all(isinstance(entry, kind) for entry in value), wrong))
    fits = all(isinstance(e, list) and [type(part) for part in e] == [int, str, str] for e in value)
    return [(edit[0], edit[1], edit[2]) for edit in _require(value, fits, wrong)]


def _require(value: Any, fits: bool, wrong: KnobError) -> Any:
    if not fits:
        raise wrong
    return value
