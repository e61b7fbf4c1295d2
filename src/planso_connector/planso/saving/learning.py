"""Learn from a recording how a PlanSo saves: requests, parameters and tokens, how the form goes, what answers mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from planso_connector.planso.pages.board import parse_order_id
from planso_connector.planso.saving.browser_comparison import (
    HARMFUL_REASONS,
    BrowserComparison,
    compare_with_browser,
    find_later_reading,
)
from planso_connector.planso.saving.learned_profile import LearnedProfile, describe_entry
from planso_connector.planso.saving.parameter_learning import ParameterLearner
from planso_connector.planso.saving.recording import RecordedWrite, Recording, get_request_parameters
from planso_connector.planso.saving.save_response import format_scalar, is_truthy_in_php
from planso_connector.planso.saving.save_style import ResponseStyle
from planso_connector.planso.saving.vocabulary import Vocabulary

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.-]{0,80}")
_MEMBERS = ("saved", "deleted", "success", "ok", "status", "result", "state", "done")
_SUCCESS_WORD = re.compile(r"true|1|ok|okay|success|saved|done|deleted|gespeichert|erfolg|erfolgreich", re.IGNORECASE)
_ID_NAME = re.compile(r"\w*id", re.IGNORECASE)
ACTION_NOUNS = {"update": "save", "insert": "creation", "delete": "deletion"}


def learn_profile(recording: Recording, taken: Sequence[RecordedWrite]) -> LearnedProfile:
    """`taken`: the writes of the recording that PlanSo did not refuse, at least one with a form."""
    lesson = LearnedProfile()
    prefix = _learn_calls(lesson, recording)
    writes = {action: _last(taken, action) for action in ACTION_NOUNS}
    saves = [write for write in taken if write.decoded is not None]
    lesson.comparisons = [
        compare_with_browser(write, find_later_reading(write, recording.forms, _order(write, recording)))
        for write in saves
    ]
    _learn_form(lesson, writes, lesson.comparisons)
    vocabulary = Vocabulary(recording)
    parameters = ParameterLearner(recording, vocabulary, prefix)
    for action, write in writes.items():
        if write is not None:
            parameters.learn_request(lesson, action, write)
        else:
            lesson.assumptions.append(
                f"The {ACTION_NOUNS[action]}: its address, and that it takes the same notation and tokens."
            )
    parameters.learn_tokens(lesson)
    _learn_answers(lesson, recording, taken)
    _map_fields(lesson, recording, vocabulary)
    _warn(lesson, recording)
    return lesson


def _last(taken: Iterable[RecordedWrite], action: str) -> RecordedWrite | None:
    found = [write for write in taken if write.action == action]
    return found[-1] if found else None


def _order(write: RecordedWrite, recording: Recording) -> int | None:
    """The order that a write was about; a new one is that which is read next."""
    if write.order_id is not None:
        return write.order_id
    after = (form for form in recording.forms if form.entry.number > write.entry.number)
    return next((form.order_id for form in after if form.order_id is not None), None)


def _learn_calls(lesson: LearnedProfile, recording: Recording) -> str:
    """The table, paths and calls that are read with; what stands before them in every path."""
    first = recording.forms[0]
    login = recording.login
    prefix = login.path.removesuffix("/app") if login is not None and login.path.endswith("/app") else ""
    table = next((form for form in recording.forms if form.table_id is not None), None)
    if table is not None and table.table_id is not None:
        lesson.add_setting("", "table_id", table.table_id, describe_entry(table.entry))
    else:
        lesson.assumptions.append("The id of the table (table_id).")
    for key, entry in (("app", login), ("do", first.entry)):
        path = entry.path.removeprefix(prefix) if entry is not None else ""
        if entry is not None and _PATH.fullmatch(path):
            lesson.add_setting("paths", key, path, describe_entry(entry))
    for key, found in (("board", recording.boards[0][0] if recording.boards else None), ("form", first.entry)):
        call = get_request_parameters(found).get("m", "") if found is not None else ""
        if found is not None and _IDENTIFIER.fullmatch(call):
            lesson.add_setting("calls", key, call, describe_entry(found))
    call_back_class = get_request_parameters(first.entry).get("call_back_class", "")
    if _IDENTIFIER.fullmatch(call_back_class):
        lesson.add_setting("calls", "form_call_back_class", call_back_class, describe_entry(first.entry))
    return prefix


def _learn_form(
    lesson: LearnedProfile, writes: Mapping[str, RecordedWrite | None], comparisons: Sequence[BrowserComparison]
) -> None:
    """How the form goes: from the update where there is one."""
    leading = writes["update"] or writes["insert"]
    assert leading is not None and leading.decoded is not None  # noqa: PT018 - there is a save
    source = describe_entry(leading.entry)
    lesson.add_setting("save", "source", "learned" if writes["update"] is not None else "assumed", source)
    if writes["update"] is None:
        lesson.assumptions.append("Saving an order that exists: the recording shows only how one is created.")
    own = [one for one in comparisons if one.write.action == leading.action]
    comparison = next(one for one in comparisons if one.write is leading)
    lesson.add_setting("save", "sends", comparison.sends, source)
    lesson.add_setting("save", "body", leading.decoded.style, source)
    if leading.decoded.parameter:
        lesson.add_setting("save", "parameter", leading.decoded.parameter, source)
    for key, found in (("space", "spaces"), ("line_break", "line_breaks")):
        values = {value: one for one in reversed(comparisons) for value in getattr(one, found)}
        if len(values) == 1:
            [(value, one)] = values.items()
            lesson.add_setting("save", key, value, describe_entry(one.write.entry))
        else:
            what = "blanks" if key == "space" else "line breaks"
            lesson.assumptions.append(
                f"How {what} are written ({key}): nothing that was sent {'agrees' if values else 'holds one'}."
            )
    always = set.intersection(*(set(one.always) for one in own))
    if comparison.sends == "changed":
        lesson.add_setting("save", "always", [name for name in comparison.always if name in always], source)
        unchecked = next((one for one in comparisons if one.unchecked is not None), None)
        if unchecked is not None and unchecked.unchecked is not None:
            lesson.add_setting("save", "unchecked", unchecked.unchecked, describe_entry(unchecked.write.entry))
        else:
            lesson.assumptions.append(
                "What is sent for a box that is unchecked (unchecked): such a write is refused until then."
            )
    known = {name for one in comparisons for name in one.known}
    unfilled = {name for one in comparisons for name in one.unfilled}
    differing = {d.name for one in comparisons for d in one.differences if d.reason in HARMFUL_REASONS}
    for key, names in (("known", known - unfilled - differing), ("unfilled", unfilled - known - differing)):
        if names:
            lesson.add_setting("save", key, sorted(names), source)


def _learn_answers(lesson: LearnedProfile, recording: Recording, taken: Sequence[RecordedWrite]) -> None:
    rules: dict[str, RecordedWrite] = {}
    for write in taken:
        rule = _success_rule(write)
        if rule is None:
            lesson.assumptions.append(
                f"How a {ACTION_NOUNS[write.action]} that was taken is answered: entry {write.entry.number} does not show it."
            )
            rules = {}
            break
        rules.setdefault(rule, write)
    if rules:
        sources = "; ".join(describe_entry(write.entry) for write in rules.values())
        lesson.add_setting("save.answer", "success", list(rules), sources)
    refused = [write for write in recording.writes if write.is_refused]
    if refused:
        usual = ResponseStyle().refusal
        more = [rule for rule in map(_refusal_rule, refused) if rule and rule not in usual]
        lesson.add_setting("save.answer", "refusal", [*usual, *dict.fromkeys(more)], describe_entry(refused[-1].entry))
    else:
        lesson.assumptions.append("What a refusal looks like.")
    created = [(write, _new_id(write, recording)) for write in taken if write.action == "insert"]
    found = [(write, where) for write, where in created if where]
    if found:
        lesson.add_setting("save.answer", "new_id", found[-1][1], describe_entry(found[-1][0].entry))
    else:
        lesson.assumptions.append("Where a new order's id stands in the answer.")


def _success_rule(write: RecordedWrite) -> str | None:
    entry, answer = write.entry, write.response_json
    if 300 <= entry.status < 400:
        return "redirect"
    if entry.text is not None and not entry.text.strip():
        return "empty"
    if not isinstance(answer, Mapping):
        return None
    for member in _MEMBERS:
        if member in answer and _SUCCESS_WORD.fullmatch(format_scalar(answer[member])):
            return f"{member}={format_scalar(answer[member])}"
    center = answer.get("center")
    return "form" if isinstance(center, Mapping) and isinstance(center.get("content"), str) else None


def _refusal_rule(write: RecordedWrite) -> str:
    """Empty where the status says it."""
    if not isinstance(write.response_json, Mapping):
        return ""
    if is_truthy_in_php(write.response_json.get("error")):
        return "error"
    if is_truthy_in_php(write.response_json.get("errors")):
        return "errors"
    for member in _MEMBERS:
        word = format_scalar(write.response_json.get(member)) if member in write.response_json else ""
        if word.casefold() in ("false", "0", "error", "fail", "failed", "fehler"):
            return f"{member}={word}"
    return ""


def _new_id(write: RecordedWrite, recording: Recording) -> str:
    """Where the new order's id stands; empty where that can't be told."""
    number = write.entry.number
    before = {i for entry, ids in recording.boards if entry.number < number for i in ids}
    before |= {form.order_id for form in recording.forms if form.entry.number < number and form.order_id is not None}
    after = {i for entry, ids in recording.boards if entry.number > number for i in ids} - before
    after |= {f.order_id for f in recording.forms if f.entry.number > number and f.order_id is not None} - before
    places = [(f"location:{name}", value) for name, value in parse_qsl(urlsplit(write.entry.location).query)]
    places += list(_scalars(write.response_json))
    ids = [
        (where, order_id) for where, value in places if (order_id := parse_order_id(value)) and order_id not in before
    ]
    named = [(where, order_id) for where, order_id in ids if _ID_NAME.fullmatch(re.split(r"[.:]", where)[-1])]
    confirmed = [where for where, order_id in named if order_id in after] or [w for w, i in ids if i in after]
    found = confirmed or ([named[0][0]] if len({order_id for _, order_id in named}) == 1 else [])
    return min(found, key=lambda where: (where.count("."), "dataID" not in where), default="")


def _scalars(answer: Any, path: str = "", depth: int = 4) -> Iterable[tuple[str, Any]]:
    """Paths and values of an answer's numbers and texts; names that a path can't hold are passed over."""
    members = answer.items() if isinstance(answer, Mapping) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in members:
        name = str(key)
        if not re.fullmatch(r"\w{1,40}", name) or (path == "" and name == "center"):
            continue
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield f"{path}{name}", value
        elif depth and isinstance(value, Mapping | list):
            yield from _scalars(value, f"{path}{name}.", depth - 1)


def _map_fields(lesson: LearnedProfile, recording: Recording, vocabulary: Vocabulary) -> None:
    """Which field is found by which column or label, in the form of an order where one was read."""
    read = next((form for form in recording.forms if form.order_id is not None), recording.forms[0])
    used = set()
    for path, handle in read.form.field_locations().items():
        used.add(handle.entry.key)
        what = "column" if handle.is_column else "label"
        lesson.fields.append((path, f"{what} '{handle.name}', control {handle.entry.control.name}", handle.ambiguity))
    for path, column, control in read.form.column_hints():
        lesson.fields.append((path, f"column '{column}', control {control.name}", "a hint only, never written"))
    unused = dict.fromkeys(entry.label for entry in read.form.markup.entries if entry.key not in used)
    lesson.unmapped_labels = [label for label in unused if vocabulary.is_caption(label)]


def _warn(lesson: LearnedProfile, recording: Recording) -> None:
    if recording.login is None:
        lesson.warnings.append("The recording holds no login; how this PlanSo logs in stays assumed.")
    for comparison in lesson.comparisons:
        for difference in comparison.differences:
            if difference.reason in HARMFUL_REASONS:
                name = f"'{difference.label}' ({difference.name})" if difference.label else difference.name
                lesson.warnings.append(f"entry {comparison.write.entry.number}: {name}: {difference.reason}.")
    lesson.warnings = list(dict.fromkeys(lesson.warnings))
