"""Play dialogues, and check what must be true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.dialogues.answer_laws import Known, check_answer
from tests.dialogues.dialogue import Dialogue, Turn, find_member, resolve
from tests.dialogues.workshop import DialogueWorkshop

ATTEMPTS = 5


@dataclass
class Played:
    """What came of a dialogue. `answers`: one for each turn. `faults`: empty where all is as it must be."""

    dialogue: Dialogue
    answers: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def play(workshop: DialogueWorkshop, dialogue: Dialogue) -> Played:
    played = Played(dialogue)
    ids = workshop.order_ids[dialogue.name]
    known = Known({order: workshop.texts[order] for order in workshop.texts})
    saves_before = {name: workshop.count_saves(order) for name, order in ids.items()}
    with ExitStack() as stack:
        if dialogue.writes == "stopped":
            stack.enter_context(workshop.writes_stopped())
        if dialogue.planso:
            stack.enter_context(workshop.planso_as(resolve_all(dialogue.planso, ids)))
        for number, turn in enumerate(dialogue.turns, 1):
            faults = _play_turn(workshop, played, turn, known)
            played.faults += [f"turn {number}, {turn.tool}: {fault}" for fault in faults]
    workshop.wait_until_settled()
    for name, order in ids.items():
        saves = workshop.count_saves(order) - saves_before[name]
        if name in dialogue.saves and saves != dialogue.saves[name]:
            played.faults.append(f"{name} was saved {saves} times, not {dialogue.saves[name]}")
    played.faults += _check_end(workshop, dialogue)
    return played


def _play_turn(workshop: DialogueWorkshop, played: Played, turn: Turn, known: Known) -> Iterator[str]:
    ids = workshop.order_ids[played.dialogue.name]
    for name, texts in turn.meanwhile.items():
        for label, text in texts.items():
            workshop.sandbox.edit_field(ids[name], label, text)
    last = played.answers[-1] if played.answers else {}
    arguments = resolve_all(turn.arguments, ids, last)
    known.days += turn.understood
    known.said += [turn.caller, *(str(value) for value in arguments.values())]
    headers = {"Accept-Language": played.dialogue.language}
    if turn.call:
        headers["X-Call-Id"] = f"{played.dialogue.name} {turn.call}".encode("ascii", "replace").decode()
    response = _call(workshop, turn.tool, arguments, headers)
    played.answers.append({})
    if response.status_code != 200:
        yield f"status {response.status_code}: {response.text[:200]}"
        return
    played.answers[-1] = response.json()
    yield from check_answer(response.text, known, ids.values())
    yield from _check_turn(turn, played.answers, response.text, ids)


def _call(workshop: DialogueWorkshop, tool: str, arguments: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
    """Again where the machine was too busy to answer within the tool's time, as `say` then asks the caller to."""
    for _ in range(ATTEMPTS):
        response = workshop.service.http.post(f"/tools/{tool}", json=arguments, headers=headers)
        if response.status_code != 200 or response.json().get("reason") != "unavailable":
            break
    return response


def _check_turn(turn: Turn, answers: list[dict[str, Any]], text: str, ids: Mapping[str, int]) -> Iterator[str]:
    answer = answers[-1]
    say = str(answer.get("say"))
    if turn.ok is not None and answer.get("ok") is not turn.ok:
        yield f"`ok` is not {str(turn.ok).lower()}: {text[:300]}"
    for pattern in turn.says:
        if not re.search(pattern, say, re.IGNORECASE):
            yield f"does not say /{pattern}/: {say!r}"
    for pattern in turn.never:
        if found := re.search(pattern, text, re.IGNORECASE):
            yield f"has {found[0]!r}, which it must not: {text[:300]}"
    for pattern in turn.unsaid:
        if found := re.search(pattern, say, re.IGNORECASE):
            yield f"says {found[0]!r}, which it must not: {say!r}"
    for path, expected in turn.data.items():
        value = find_member(answer, path)
        wanted = resolve(expected, ids, answers[-2] if len(answers) > 1 else {})
        is_right = value not in (None, "", []) if wanted == "*" else (value or "") == wanted
        if not is_right:
            yield f"`{path}` is {value!r}, not {wanted!r}: {text[:300]}"
    if turn.same_as is not None:
        other, own = answers[turn.same_as - 1].get("operation_id"), answer.get("operation_id")
        if own is None or own != other:
            yield f"is another operation than turn {turn.same_as}: {own}, {other}"


def _check_end(workshop: DialogueWorkshop, dialogue: Dialogue) -> Iterator[str]:
    for name, expected in dialogue.end.items():
        order = workshop.order_ids[dialogue.name][name]
        yield from _compare_texts(workshop, order, name, expected)
    for expected in dialogue.created:
        new = workshop.find_new_orders(expected["Kennzeichen"])
        if len(new) != 1:
            yield f"{len(new)} new orders for {expected['Kennzeichen']}"
        else:
            more = {label: text for label, text in expected.items() if label != "Kennzeichen"}
            yield from _compare_texts(workshop, new[0], expected["Kennzeichen"], more)
    for plate in dialogue.not_created:
        if workshop.find_new_orders(plate):
            yield f"there is a new order for {plate}"


def _compare_texts(workshop: DialogueWorkshop, order: int, name: str, expected: Mapping[str, str]) -> Iterator[str]:
    for label, wanted in expected.items():
        value = workshop.sandbox.value(order, label).replace("\r\n", "\n")
        if wanted.startswith("~"):
            is_right = wanted[1:].lower() in value.lower()
        elif wanted.startswith("!"):
            is_right = wanted[1:].lower() not in value.lower()
        else:
            is_right = value == wanted
        if not is_right:
            yield f"{label} of {name} is {value!r}, not {wanted!r}"


def resolve_all(
    values: Mapping[str, Any], ids: Mapping[str, int], last: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    def resolve_one(value: Any) -> Any:
        return [resolve_one(one) for one in value] if isinstance(value, list) else resolve(value, ids, last or {})

    return {name: resolve_one(value) for name, value in values.items()}
