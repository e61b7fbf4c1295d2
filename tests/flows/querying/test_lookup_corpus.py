"""What callers ask, end to end: from what was said to the order, on a mirror of 3,000 in a real database."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from planso_connector.flows.querying.lookup import LookupRequest, LookupResult, LookupService
from planso_connector.store import orders
from planso_connector.store.engine.database import Transaction
from tests.databases import Store, run_script
from tests.lookup_corpus import mirror
from tests.lookup_corpus.questions import Question, questions
from tests.store.samples import at

AT_FIVE = 0.98
BATCH = 200
"""Orders in a unit of work, which the database has ten seconds for."""


class Answer(NamedTuple):
    ids: tuple[int, ...]
    """The first 5."""
    scores: tuple[float, ...]
    is_certain: bool
    ask: str | None


def answers(url: str, asked: Sequence[Question]) -> list[Answer]:
    store = Store(url)

    everything = list(mirror.orders())

    def fill(tx: Transaction, first: int) -> None:
        for known in everything[first : first + BATCH]:
            orders.save(tx, known.order(), read_at=at(1), now=at(1))

    try:
        for first in range(0, len(everything), BATCH):
            store.write(partial(fill, first=first))
        if not url.startswith("sqlite"):
            run_script(url, "ANALYZE")  # as the server does by itself within a minute
        recognition = LookupService(store.database)
        return [_told(store.runner.run(_find(recognition, question))) for question in asked]
    finally:
        store.close()


async def _find(recognition: LookupService, question: Question) -> LookupResult:
    told = {"free_text" if name == "q" else name: text for name, text in question.asked}
    return await recognition.find(LookupRequest(**told), archived=False, limit=5, language="de")


def _told(found: LookupResult) -> Answer:
    ids = tuple(match.order_id for match in found.matches)
    return Answer(ids, tuple(match.score for match in found.matches), found.is_certain, found.clarifying_question)


def recall(asked: dict[Question, Answer], within: int) -> float:
    """At 1 any of the orders that fit is right, from 2 on the one that is meant."""
    found = [set(q.right if within == 1 else q.right[:1]) & set(a.ids[:within]) for q, a in asked.items()]
    return sum(map(bool, found)) / len(found)


def certain_and_wrong(asked: dict[Question, Answer]) -> list[Question]:
    return [q for q, a in asked.items() if a.is_certain and (len(q.right) > 1 or a.ids[0] != q.right[0])]


def test_what_callers_ask_is_answered(
    capsys: pytest.CaptureFixture[str], migrated_file: Path, tmp_path: Path, postgresql_url: str
) -> None:
    """
    Recall at 5 holds on the half to develop on; on neither half is one certain and wrong, or certain where several fit;
    both are printed. SQLite and PostgreSQL answer alike. Where by hand several are named, all are answered.
    """
    everything = questions()
    assert len(everything) >= 300
    assert sum(question.by == "hand" for question in everything) >= 60
    urls = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'corpus.db')}", postgresql_url
    with ThreadPoolExecutor(2) as both:
        here, there = both.map(answers, urls, [everything] * 2)
    told = dict(zip(everything, here, strict=True))
    halves = {
        name: {question: answer for question, answer in told.items() if question.to_develop_on is wanted}
        for name, wanted in (("to develop on", True), ("only to report", False))
    }
    with capsys.disabled():
        for name, half in halves.items():
            certain = sum(answer.is_certain for answer in half.values())
            print(  # noqa: T201
                f"\nlook-up, {name}: {len(half)} questions, recall at 1 {recall(half, 1):.3f}, "
                f"at 5 {recall(half, 5):.3f}, certain {certain}, certain and wrong {len(certain_and_wrong(half))}"
            )
    assert recall(halves["to develop on"], 5) >= AT_FIVE
    assert certain_and_wrong(told) == []
    assert [(q, a, b) for q, a, b in zip(everything, here, there, strict=True) if a != b] == []
    several = {q: a for q, a in halves["to develop on"].items() if q.by == "hand" and len(q.right) > 1}
    assert [q for q, a in several.items() if not set(q.right) <= set(a.ids)] == []
