"""Learn from a recording how a PlanSo saves: requests, parameters, tokens, encoding of the form, responses."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from planso_connector.planso.pages.board_parser import parse_order_id
from planso_connector.planso.saving.browser_comparison import HARMFUL_REASONS, compare_with_browser
from planso_connector.planso.saving.har import HarEntry
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.parameter_learning import ParameterLearner
from planso_connector.planso.saving.recording import RecordedForm, RecordedWrite, Recording, get_request_parameters
from planso_connector.planso.saving.save_response import (
    OUTCOME_MEMBERS,
    format_scalar,
    get_member,
    is_truthy_in_php,
    iter_members,
)
from planso_connector.planso.saving.save_style import ResponseStyle
from planso_connector.planso.saving.vocabulary import Vocabulary

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.-]{0,80}")
_SUCCESS_WORD = re.compile(r"true|1|ok|okay|success|saved|done|deleted|gespeichert|erfolg|erfolgreich", re.IGNORECASE)
_REFUSAL_WORDS = frozenset({"false", "0", "error", "fail", "failed", "fehler"})
_ID_NAME = re.compile(r"\w*id", re.IGNORECASE)
ACTION_NOUNS = {"update": "save", "insert": "creation", "delete": "deletion"}


def learn_profile(recording: Recording, accepted: Sequence[RecordedWrite]) -> LearnedProfile:
    """`accepted`: the writes of the recording that PlanSo did not refuse, at least one with a form."""
    learned = LearnedProfile()
    prefix = _learn_calls(learned, recording)
    learned.comparisons = [
        compare_with_browser(write, _find_later_form(write, recording))
        for write in accepted
        if write.decoded is not None
    ]
    by_action: dict[str, RecordedWrite] = {write.action: write for write in accepted}
    _learn_form(learned, by_action.get("update"), by_action.get("insert"))
    vocabulary = Vocabulary(recording)
    parameters = ParameterLearner(recording, vocabulary, prefix)
    for action, noun in ACTION_NOUNS.items():
        write = by_action.get(action)
        if write is not None:
            parameters.learn_request(learned, action, write)
        else:
            learned.assumptions.append(f"The {noun}: its address, and that it takes the same notation and tokens.")
    parameters.learn_tokens(learned)
    _learn_responses(learned, recording, accepted)
    _map_fields(learned, recording, vocabulary)
    _add_warnings(learned, recording)
    return learned


def _find_later_form(write: RecordedWrite, recording: Recording) -> RecordedForm | None:
    """The next reading of the same order; a new order is the one that is read next."""
    later = (form for form in recording.forms if form.entry.number > write.entry.number and form.order_id is not None)
    return next((form for form in later if write.order_id in (None, form.order_id)), None)


def _learn_calls(learned: LearnedProfile, recording: Recording) -> str:
    """Learn the table, paths and calls of readings. Returns the prefix of all paths, such as `/planso`."""
    first, login = recording.forms[0], recording.login
    prefix = login.path.removesuffix("/app") if login is not None and login.path.endswith("/app") else ""
    tables = [(form.table_id, form.entry) for form in recording.forms if form.table_id is not None]
    if tables:
        learned.add_setting("", "table_id", *tables[0])
    else:
        learned.assumptions.append("The id of the table (table_id).")
    for key, entry in (("app", login), ("do", first.entry)):
        if entry is not None and _PATH.fullmatch(path := entry.path.removeprefix(prefix)):
            learned.add_setting("paths", key, path, entry)
    calls = [("board", "m", entry) for entry, _ in recording.boards[:1]]
    calls += [("form", "m", first.entry), ("form_call_back_class", "call_back_class", first.entry)]
    for key, parameter, call_entry in calls:
        call = get_request_parameters(call_entry).get(parameter, "")
        if _IDENTIFIER.fullmatch(call):
            learned.add_setting("calls", key, call, call_entry)
    return prefix


def _learn_form(learned: LearnedProfile, update: RecordedWrite | None, insert: RecordedWrite | None) -> None:
    """How the form is encoded: by the last update if there is one, else by the last creation."""
    leading = update or insert
    assert leading is not None and leading.decoded is not None  # noqa: PT018 - there is a save
    entry, comparisons = leading.entry, learned.comparisons
    learned.add_setting("save", "source", "learned" if update is not None else "assumed", entry)
    if update is None:
        learned.assumptions.append("Saving an order that exists: the recording shows only how one is created.")
    comparison = next(one for one in comparisons if one.write is leading)
    learned.add_setting("save", "sends", comparison.sends, entry)
    learned.add_setting("save", "body", leading.decoded.style, entry)
    if leading.decoded.parameter:
        learned.add_setting("save", "parameter", leading.decoded.parameter, entry)
    newest_first = comparisons[::-1]
    spaces = {space: one.write.entry for one in newest_first for space in one.spaces}
    line_breaks = {line_break: one.write.entry for one in newest_first for line_break in one.line_breaks}
    _learn_notation(learned, "space", "blanks", spaces)
    _learn_notation(learned, "line_break", "line breaks", line_breaks)
    if comparison.sends == "changed":
        same_action = [one for one in comparisons if one.write.action == leading.action]
        always = [name for name in comparison.always if all(name in one.always for one in same_action)]
        learned.add_setting("save", "always", always, entry)
        unchecked = next((one for one in comparisons if one.unchecked is not None), None)
        if unchecked is not None and unchecked.unchecked is not None:
            learned.add_setting("save", "unchecked", unchecked.unchecked, unchecked.write.entry)
        else:
            learned.assumptions.append(
                "What is sent for a box that is unchecked (unchecked): such a write is refused until then."
            )
    _learn_script_filled(learned, entry)


def _learn_notation(learned: LearnedProfile, key: str, what: str, seen: Mapping[str, HarEntry]) -> None:
    """`seen`: the notations in which it was sent, with the first entry that did so."""
    if len(seen) == 1:
        [(value, entry)] = seen.items()
        learned.add_setting("save", key, value, entry)
    else:
        reason = "agrees" if seen else "holds one"
        learned.assumptions.append(f"How {what} are written ({key}): nothing that was sent {reason}.")


def _learn_script_filled(learned: LearnedProfile, entry: HarEntry) -> None:
    known = {name for comparison in learned.comparisons for name in comparison.known}
    unfilled = {name for comparison in learned.comparisons for name in comparison.unfilled}
    differences = [difference for comparison in learned.comparisons for difference in comparison.differences]
    harmful = {difference.name for difference in differences if difference.reason in HARMFUL_REASONS}
    for key, names in (("known", known - unfilled - harmful), ("unfilled", unfilled - known - harmful)):
        if names:
            learned.add_setting("save", key, sorted(names), entry)


def _learn_responses(learned: LearnedProfile, recording: Recording, accepted: Sequence[RecordedWrite]) -> None:
    rules: dict[str, HarEntry] = {}
    for write in accepted:
        rule = _find_success_rule(write)
        if rule is None:
            what = f"How a {ACTION_NOUNS[write.action]} that was taken is answered"
            learned.assumptions.append(f"{what}: entry {write.entry.number} does not show it.")
            rules = {}
            break
        rules.setdefault(rule, write.entry)
    if rules:
        learned.add_setting("save.answer", "success", list(rules), *rules.values())
    refused = [write for write in recording.writes if write.is_refused]
    if refused:
        found = filter(None, map(_find_refusal_rule, refused))
        refusal = list(dict.fromkeys([*ResponseStyle().refusal, *found]))
        learned.add_setting("save.answer", "refusal", refusal, refused[-1].entry)
    else:
        learned.assumptions.append("What a refusal looks like.")
    created = [write for write in reversed(accepted) if write.action == "insert"]
    new_ids = [(path, write.entry) for write in created if (path := _find_new_id(write, recording))]
    if new_ids:
        learned.add_setting("save.answer", "new_id", *new_ids[0])
    else:
        learned.assumptions.append("Where a new order's id is in the answer.")


def _find_success_rule(write: RecordedWrite) -> str | None:
    entry, answer = write.entry, write.response_json
    if 300 <= entry.status < 400:
        return "redirect"
    if entry.text is not None and not entry.text.strip():
        return "empty"
    if not isinstance(answer, Mapping):
        return None
    for name in OUTCOME_MEMBERS:
        if name in answer and _SUCCESS_WORD.fullmatch(outcome := format_scalar(answer[name])):
            return f"{name}={outcome}"
    return "form" if isinstance(get_member(answer, "center.content"), str) else None


def _find_refusal_rule(write: RecordedWrite) -> str:
    """Empty where the status alone tells."""
    answer = write.response_json
    if not isinstance(answer, Mapping):
        return ""
    for name in ("error", "errors"):
        if is_truthy_in_php(answer.get(name)):
            return name
    for name in OUTCOME_MEMBERS:
        outcome = format_scalar(answer.get(name))
        if outcome.casefold() in _REFUSAL_WORDS:
            return f"{name}={outcome}"
    return ""


def _find_new_id(write: RecordedWrite, recording: Recording) -> str:
    """Where the new order's id is in the response, as `save.answer.new_id`; empty where that is not certain."""
    number = write.entry.number
    seen = [(entry.number, order_id) for entry, order_ids in recording.boards for order_id in order_ids]
    seen += [(form.entry.number, form.order_id) for form in recording.forms if form.order_id is not None]
    before = {order_id for seen_in, order_id in seen if seen_in < number}
    after = {order_id for seen_in, order_id in seen if seen_in > number}
    places: list[tuple[str, str | int]] = [
        (f"location:{name}", value) for name, value in parse_qsl(urlsplit(write.entry.location).query)
    ]
    places += [(path, value) for path, value in iter_members(write.response_json) if not path.startswith("center.")]
    ids = {path: order_id for path, value in places if (order_id := parse_order_id(value)) and order_id not in before}
    named = {path: order_id for path, order_id in ids.items() if _ID_NAME.fullmatch(re.split(r"[.:]", path)[-1])}
    confirmed = [path for path in named if named[path] in after] or [path for path in ids if ids[path] in after]
    candidates = confirmed or (list(named)[:1] if len(set(named.values())) == 1 else [])
    return min(candidates, key=lambda path: (path.count("."), "dataID" not in path), default="")


def _map_fields(learned: LearnedProfile, recording: Recording, vocabulary: Vocabulary) -> None:
    """List which field is found by which column or label, in the form of an order where one was read."""
    form = next((form for form in recording.forms if form.order_id is not None), recording.forms[0]).form
    used = set()
    for path, location in form.field_locations().items():
        used.add(location.entry.key)
        handle = f"{'column' if location.is_column else 'label'} '{location.name}'"
        learned.fields.append((path, f"{handle}, control {location.entry.control.name}", location.ambiguity))
    for path, column, control in form.column_hints():
        learned.fields.append((path, f"column '{column}', control {control.name}", "a hint only, never written"))
    unused = dict.fromkeys(entry.label for entry in form.markup.entries if entry.key not in used)
    learned.unmapped_labels = [label for label in unused if vocabulary.is_caption(label)]


def _add_warnings(learned: LearnedProfile, recording: Recording) -> None:
    if recording.login is None:
        learned.warnings.append("The recording holds no login; how this PlanSo logs in stays assumed.")
    for comparison in learned.comparisons:
        for difference in comparison.differences:
            if difference.reason in HARMFUL_REASONS:
                name = f"'{difference.label}' ({difference.name})" if difference.label else difference.name
                learned.warnings.append(f"entry {comparison.write.entry.number}: {name}: {difference.reason}.")
    learned.warnings = list(dict.fromkeys(learned.warnings))
