"""What a tester can turn while the sandbox runs: bad days of a real installation and what its saves do to values."""

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
    """Every knob, effective at once. Those named `..._next` count down with each request or save that they hit."""

    # -- sessions and transport

    latency: Annotated[float, "Seconds that each `/do` and `/app` request takes at least."] = 0.0
    jitter: Annotated[float, "Up to so many seconds more."] = 0.0
    save_latency: Annotated[
        float, "Seconds more that a save takes until it is carried out, whether somebody waits for it still or not."
    ] = 0.0
    saves_within: Annotated[
        float, "Seconds after which a save that is not carried out yet never is: `fail_status`, and nothing is kept."
    ] = 600.0
    expire_sessions_after: Annotated[int | None, "Each login is good for so many `/do` requests."] = None
    one_session_per_account: Annotated[bool, "A login ends the account's other sessions."] = False
    session_lock: Annotated[
        bool, "Requests of one session are served one after the other, as PHP does; other sessions don't wait."
    ] = False
    fail_next: Annotated[int, "So many `/do` requests answer `fail_status`."] = 0
    fail_app_next: Annotated[int, "So many `/app` requests answer `fail_status`."] = 0
    fail_status: Annotated[int, "From 400 to 599."] = 502
    fail_saves_next: Annotated[int, "So many saves answer `fail_status` and keep nothing."] = 0
    hang_next: Annotated[int, "So many `/do` requests never answer, until the client or the server closes."] = 0
    html_for_json_next: Annotated[int, "So many `/do` requests answer 200 with a page that is not the login page."] = 0
    locked_accounts: Annotated[set[str], "These can't log in. Three wrong passwords in a row put an account here."] = (
        field(default_factory=set)
    )

    # -- what is answered to a save

    save_style: Annotated[SaveStyle, "How this PlanSo saves, see above; what comes otherwise is refused."] = field(
        default_factory=SaveStyle
    )
    drop_saves_next: Annotated[int, "So many saves answer success and keep nothing."] = 0
    refuse_saves: Annotated[str | None, "Every save is refused with this text."] = None
    lose_answers_next: Annotated[
        int, "So many saves are applied, and their answer is lost as `lose_answers_by` says."
    ] = 0
    lose_answers_by: Annotated[Literal["close", "hang", "504"], "`close`, `hang`, `504`."] = "close"
    applied_but_next: Annotated[int, "So many saves are applied, and answered as `applied_but` says."] = 0
    applied_but: Annotated[
        Literal["login_page", "redirect_app", "429", "425", "refuse", "403", "html"],
        "`login_page`, `redirect_app` (302 to `/app`), `429`, `425`, `refuse` (in the style), `403`, `html`.",
    ] = "refuse"
    insert_names: Annotated[int | None, "The answer to a new order names this order, not the one that was made."] = None
    locked_orders: Annotated[set[int], "Saving or deleting these is refused: somebody has them open."] = field(
        default_factory=set
    )

    # -- what other people do

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

    # -- what the form shows

    empty_form_orders: Annotated[
        set[int], "The form of these answers as that of an unknown order: all labels, no values."
    ] = field(default_factory=set)
    no_content_orders: Annotated[set[int], 'The form of these answers `{"center": {"content": ""}}`.'] = field(
        default_factory=set
    )
    missing_labels: Annotated[set[str], "Labels that somebody took out of the form."] = field(default_factory=set)
    change_per_read: Annotated[
        bool, "Two hidden inputs differ at each reading: `form_age`, and `geaendert_von`, who had it open last."
    ] = False
    child_rows: Annotated[
        int, "So many rows of inputs (`pos[17][text]`, `pos[17][menge]`); each save gives all rows new ids."
    ] = 0
    script_filled: Annotated[
        set[str], "The controls of these labels are empty in the markup; the value stands where a script finds it."
    ] = field(default_factory=set)
    script_filled_by: Annotated[
        Literal["data", "functions"],
        "`data`: in `data-date` or `data-value` beside the empty value; `functions`: in the answer's script.",
    ] = "data"
    twin_labels: Annotated[set[str], "A block `Versicherung` has fields with these labels a second time."] = field(
        default_factory=set
    )
    twin_first: Annotated[bool, "That block stands before all others, not at the end."] = False

    # -- what a save does to the values

    alter_saved: Annotated[
        dict[str, Alteration],
        "By label, what PlanSo keeps of a changed value: another text, or the first N characters.",
    ] = field(default_factory=dict)
    take_pairs: Annotated[
        int | None,
        "Only the first N pairs of a save are taken (PHP's `max_input_vars`); what came after is blanked in `whole`, "
        "kept in `changed`.",
    ] = None
    lose_on_save: Annotated[set[str], "Each save empties these labels."] = field(default_factory=set)
    shift_values: Annotated[
        str | None, "From this label on, each text input gets the value of the one before it; this label is emptied."
    ] = None
    garble_encoding: Annotated[
        Literal["none", "mojibake", "question"],
        "Umlauts of every text that arrives are kept as `mojibake` (`Ã¼`) or as `question` marks.",
    ] = "none"
    blank_after_save: Annotated[int, "After a save the order's form is blank for so many readings."] = 0
    blank_seconds_after_save: Annotated[float, "After a save the order's form is blank for so many seconds."] = 0.0
    normalise: Annotated[
        set[str],
        "What every save rewrites of what arrives: `plate` (upper case, single blanks), `phone` (`+49 171 3920023`), "
        "`email` (lower case), `blanks` (single ones, none at the ends), `decimals` (`11.30` to `11,30`), `date_only`, "
        "`date_time` (`00:00:00` added), `round` (two decimals).",
    ] = field(default_factory=set)
    cut_at_emoji: Annotated[bool, "A changed text ends before its first character of four bytes (old MySQL)."] = False
    cut_text: Annotated[int | None, "A changed text is cut to so many characters."] = None
    cap_number: Annotated[float | None, "A changed number is at most so large."] = None
    select_jumps: Annotated[bool, "A changed select gets its first option."] = False
    derive: Annotated[
        set[str],
        "`model_emptied`, `model_first`: what happens to Modell when Hersteller changes; `week`: a field `KW` follows "
        "Werkstattstart; `copy`: a field `Halter` follows Fahrername.",
    ] = field(default_factory=set)

    def count_down(self, name: str) -> bool:
        """Use up one of a `..._next` knob; False when none was left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def pop_edits(self, name: EditKnob, order_id: int) -> list[Edit]:
        """Use up the waiting edits of one order."""
        waiting: list[Edit] = getattr(self, name)
        due = [edit for edit in waiting if edit[0] == order_id]
        setattr(self, name, [edit for edit in waiting if edit[0] != order_id])
        return due

    def as_json(self) -> dict[str, Any]:
        """All knobs as JSON values; sets as sorted lists, functions as their name."""
        return {knob.name: _plain(getattr(self, knob.name)) for knob in fields(self)}

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """What each knob does, by name."""
        return {name: hint.__metadata__[0] for name, hint in get_type_hints(cls, include_extras=True).items()}

    def set_json(self, given: object, labels: Collection[str] | None = None) -> None:
        """Set the given knobs, all or none. `labels`: those of the form, where they can be checked.

        Raises `KnobError`.
        """
        if not isinstance(given, dict):
            raise KnobError("A JSON object with names and values of knobs is accepted.")
        defaults = Knobs()
        known = {knob.name for knob in fields(self)}
        ready: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise KnobError(f"There is no knob {name!r}. Knobs: {', '.join(sorted(known))}.")
            ready[name] = parse_knob_value(name, value, getattr(defaults, name), labels)
        for name, value in ready.items():
            setattr(self, name, value)


def _plain(value: Any) -> Any:
    if isinstance(value, SaveStyle):
        return value.as_json()
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, list):
        return [list(entry) for entry in value]
    if isinstance(value, dict):
        return {key: kept if isinstance(kept, (str, int)) else repr(kept) for key, kept in value.items()}
    return value
