"""The knobs of a running sandbox: troubles of a real installation, and what its saves do to values."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, get_type_hints

from planso_connector.sandbox.knob_values import KnobError, parse_knob_value
from planso_connector.sandbox.save_style import SaveStyle

__all__ = ["Alteration", "Edit", "KnobError", "Knobs"]

Alteration = str | int | Callable[[str], str]
Edit = tuple[int, str, str]
EditKnob = Literal["edit_after_next_read", "edit_before_next_save", "edit_after_next_save"]


@dataclass
class Knobs:
    """Every knob, effective at once. Those named `..._next` count down with each request or save that they affect."""

    # -- sessions and transport

    latency: Annotated[float, "Seconds that each `/do` and `/app` request takes at least."] = 0.0
    jitter: Annotated[float, "Up to this many seconds more."] = 0.0
    save_latency: Annotated[float, "Seconds until a save is applied, whether its sender still waits or not."] = 0.0
    saves_within: Annotated[
        float, "Seconds after which a save that is not applied yet fails with `fail_status` and stores nothing."
    ] = 600.0
    expire_sessions_after: Annotated[int | None, "Each session ends after this many `/do` requests."] = None
    one_session_per_account: Annotated[bool, "A login ends the account's other sessions."] = False
    session_lock: Annotated[
        bool, "Requests of one session are served one after the other, as PHP does; other sessions don't wait."
    ] = False
    fail_next: Annotated[int, "The next N `/do` requests answer `fail_status`."] = 0
    fail_app_next: Annotated[int, "The next N `/app` requests answer `fail_status`."] = 0
    fail_status: Annotated[int, "From 400 to 599."] = 502
    fail_saves_next: Annotated[int, "The next N saves answer `fail_status` and store nothing."] = 0
    hang_next: Annotated[int, "The next N `/do` requests get no response until the client or the server closes."] = 0
    html_for_json_next: Annotated[
        int, "The next N `/do` requests answer 200 with an HTML page that is not the login page."
    ] = 0
    locked_accounts: Annotated[set[str], "These can't log in. Three wrong passwords in a row put an account here."] = (
        field(default_factory=set)
    )

    # -- responses to saves

    save_style: Annotated[SaveStyle, "How this PlanSo saves, see above; a save in another style is refused."] = field(
        default_factory=SaveStyle
    )
    drop_saves_next: Annotated[int, "The next N saves answer success and store nothing."] = 0
    refuse_saves: Annotated[str | None, "Every save is refused with this text."] = None
    lose_answers_next: Annotated[
        int, "The next N saves are applied, and their response is lost as `lose_answers_by` says."
    ] = 0
    lose_answers_by: Annotated[Literal["close", "hang", "504"], "`close`, `hang`, `504`."] = "close"
    applied_but_next: Annotated[int, "The next N saves are applied, and answered as `applied_but` says."] = 0
    applied_but: Annotated[
        Literal["login_page", "redirect_app", "429", "425", "refuse", "403", "html"],
        "`login_page`, `redirect_app` (302 to `/app`), `429`, `425`, `refuse` (in the style), `403`, `html`.",
    ] = "refuse"
    insert_names: Annotated[int | None, "The answer to a new order names this order, not the one that was made."] = None
    locked_orders: Annotated[set[int], "Saving or deleting these is refused: somebody has them open."] = field(
        default_factory=set
    )

    # -- edits by other people

    edit_after_next_read: Annotated[
        list[Edit],
        "Another person's edits (order, label, value), applied right after the next read of that order's form.",
    ] = field(default_factory=list)
    edit_before_next_save: Annotated[
        list[Edit], "The same, applied when the next save of that order has arrived and is not applied yet."
    ] = field(default_factory=list)
    edit_after_next_save: Annotated[list[Edit], "The same, applied right after that order's next save."] = field(
        default_factory=list
    )
    archive_after_next_list: Annotated[set[int], "These orders are archived right after the next list."] = field(
        default_factory=set
    )

    # -- the form

    empty_form_orders: Annotated[
        set[int], "The form of these answers as that of an unknown order: all labels, no values."
    ] = field(default_factory=set)
    no_content_orders: Annotated[set[int], 'The form of these answers `{"center": {"content": ""}}`.'] = field(
        default_factory=set
    )
    missing_labels: Annotated[set[str], "Labels that are not in the form any more."] = field(default_factory=set)
    change_per_read: Annotated[
        bool, "Two hidden inputs differ at each read: `form_age`, and `geaendert_von`, who had the form open last."
    ] = False
    child_rows: Annotated[
        int, "The number of child rows (`pos[17][text]`, `pos[17][menge]`); each save gives all rows new ids."
    ] = 0
    script_filled: Annotated[set[str], "The controls of these labels are empty in the markup; a script fills them."] = (
        field(default_factory=set)
    )
    script_filled_by: Annotated[
        Literal["data", "functions"],
        "`data`: in `data-date` or `data-value` beside the empty value; `functions`: in the answer's script.",
    ] = "data"
    twin_labels: Annotated[set[str], "A block `Versicherung` has a second field for each of these labels."] = field(
        default_factory=set
    )
    twin_first: Annotated[bool, "That block comes first, not last."] = False

    # -- effects of a save on values

    alter_saved: Annotated[
        dict[str, Alteration], "By label, what is stored of a changed value: another text, or the first N characters."
    ] = field(default_factory=dict)
    take_pairs: Annotated[
        int | None,
        "Only the first N pairs of a save are parsed (PHP's `max_input_vars`); the rest is blanked in `whole`, kept in "
        "`changed`.",
    ] = None
    lose_on_save: Annotated[set[str], "Each save empties these labels."] = field(default_factory=set)
    shift_values: Annotated[
        str | None, "From this label on, each text input gets the value of the one before it; this label is emptied."
    ] = None
    garble_encoding: Annotated[
        Literal["none", "mojibake", "question"],
        "Umlauts of every text that arrives are stored as `mojibake` (`Ã¼`) or as `question` marks.",
    ] = "none"
    blank_after_save: Annotated[int, "After a save the order's form is blank for this many reads."] = 0
    blank_seconds_after_save: Annotated[float, "After a save the order's form is blank for this many seconds."] = 0.0
    normalise: Annotated[
        set[str],
        "What every save rewrites of what arrives: `plate` (upper case, single blanks), `phone` (`+49 171 3920023`), "
        "`email` (lower case), `blanks` (single ones, none at the ends), `decimals` (`11.30` to `11,30`), `date_only`, "
        "`date_time` (`00:00:00` added), `round` (two decimals).",
    ] = field(default_factory=set)
    cut_at_emoji: Annotated[bool, "A changed text ends before its first character of four bytes (old MySQL)."] = False
    cut_text: Annotated[int | None, "A changed text is cut to this many characters."] = None
    cap_number: Annotated[float | None, "A changed number is reduced to this at most."] = None
    select_jumps: Annotated[bool, "A changed select gets its first option."] = False
    derive: Annotated[
        set[str],
        "`model_emptied`, `model_first`: what happens to Modell when Hersteller changes; `week`: a field `KW` follows "
        "Werkstattstart; `copy`: a field `Halter` follows Fahrername.",
    ] = field(default_factory=set)

    def count_down(self, name: str) -> bool:
        """Count a `..._next` knob down by one; False where it was 0."""
        remaining: int = getattr(self, name)
        if remaining > 0:
            setattr(self, name, remaining - 1)
        return remaining > 0

    def pop_edits(self, name: EditKnob, order_id: int) -> list[Edit]:
        """Remove and return the pending edits of one order."""
        waiting: list[Edit] = getattr(self, name)
        due = [edit for edit in waiting if edit[0] == order_id]
        setattr(self, name, [edit for edit in waiting if edit[0] != order_id])
        return due

    def as_json(self) -> dict[str, Any]:
        """All knobs as JSON values: sets as sorted lists, functions as their repr."""
        return {knob.name: _to_json_value(getattr(self, knob.name)) for knob in fields(self)}

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """The description of each knob, by name."""
        return {name: hint.__metadata__[0] for name, hint in get_type_hints(cls, include_extras=True).items()}

    def set_json(self, values: object, labels: Collection[str] | None = None) -> None:
        """Set knobs, all or none. `labels`: those of the form, where they are to be checked.

        Raises `KnobError`.
        """
        if not isinstance(values, dict):
            raise KnobError("A JSON object with names and values of knobs is accepted.")
        defaults = Knobs()
        names = {knob.name for knob in fields(self)}
        parsed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in names:
                raise KnobError(f"There is no knob {name!r}. Knobs: {', '.join(sorted(names))}.")
            parsed[name] = parse_knob_value(name, value, getattr(defaults, name), labels)
        for name, value in parsed.items():
            setattr(self, name, value)


def _to_json_value(value: Any) -> Any:
    if isinstance(value, SaveStyle):
        return value.as_json()
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, list):
        return [list(entry) for entry in value]
    if isinstance(value, dict):
        return {key: inner if isinstance(inner, (str, int)) else repr(inner) for key, inner in value.items()}
    return value
