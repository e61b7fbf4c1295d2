"""Dialogues of callers with an agent that uses the tools: what must be true at the end of each."""

from __future__ import annotations

from pathlib import Path

from tests.dialogues.dialogue import load
from tests.dialogues.playing import play
from tests.dialogues.workshop import opened

DIALOGUES = load()


def test_every_dialogue_ends_as_it_must(tmp_path: Path) -> None:
    """
    Every answer keeps the laws of answers, and PlanSo has what was said, once. One test, since all have one connector.
    """
    with opened(tmp_path, DIALOGUES) as workshop:
        faults = {dialogue.name: play(workshop, dialogue).faults for dialogue in DIALOGUES}
    assert {name: found for name, found in faults.items() if found} == {}


def test_there_are_enough() -> None:
    """At least sixty, each with a name of its own."""
    names = [dialogue.name for dialogue in DIALOGUES]
    assert len(set(names)) == len(names) >= 60
