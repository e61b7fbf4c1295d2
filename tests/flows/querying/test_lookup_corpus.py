"""Lookup from the caller's words to the order, on a mirror of 3,000 orders in a real database."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from planso_connector.flows.querying.lookup import LookupRequest, LookupResult, LookupService
from planso_connector.store import lookup_keys, orders, sync_runs
from planso_connector.store.engine.database import Transaction
from tests.databases import Store, run_script
from tests.lookup_corpus import mirror
from tests.lookup_corpus.questions import Question, questions
from tests.lookup_corpus.questions_by_kind import QUESTIONS_BY_KIND
from tests.store.samples import at

MIN_RECALL_AT_FIVE = 0.98
ORDERS_PER_TRANSACTION = 200
"""A transaction has ten seconds."""


class Answer(NamedTuple):
    ids: tuple[int, ...]
    """The first 5."""
    scores: tuple[float, ...]
    is_certain: bool
    clarifying_question: str | None


def ask_all(url: str, asked: Sequence[Question]) -> list[Answer]:
    store = Store(url)

    corpus = mirror.orders()

    def fill(tx: Transaction, first: int) -> None:
        for order in corpus[first : first + ORDERS_PER_TRANSACTION]:
            orders.save(tx, order.to_order(), read_at=at(1), now=at(1))

    def complete(tx: Transaction) -> None:  # else nothing is certain, and no lookup may find nothing
        lookup_keys.write_rebuild_progress(tx, None)
        run = sync_runs.start(tx, now=at(1))
        sync_runs.finish(tx, run.id, state=sync_runs.RunState.DONE, now=at(1))

    try:
        for first in range(0, len(corpus), ORDERS_PER_TRANSACTION):
            store.write(partial(fill, first=first))
        store.write(complete)
        if not url.startswith("sqlite"):
            run_script(url, "ANALYZE")  # as the server does by itself within a minute
        lookup = LookupService(store.database)
        return [_answer(store.runner.run(_find(lookup, question))) for question in asked]
    finally:
        store.close()


async def _find(lookup: LookupService, question: Question) -> LookupResult:
    texts = {"free_text" if name == "q" else name: text for name, text in question.asked}
    return await lookup.find(LookupRequest(**texts), archived=False, limit=5, language="de")


def _answer(result: LookupResult) -> Answer:
    ids = tuple(match.order_id for match in result.matches)
    return Answer(ids, tuple(match.score for match in result.matches), result.is_certain, result.clarifying_question)


def recall(asked: dict[Question, Answer], within: int) -> float:
    """At 1 any order that fits counts, from 2 on the one that is meant."""
    found = [set(q.expected if within == 1 else q.expected[:1]) & set(a.ids[:within]) for q, a in asked.items()]
    return sum(map(bool, found)) / len(found)


def certain_and_wrong(asked: dict[Question, Answer]) -> list[Question]:
    return [q for q, a in asked.items() if a.is_certain and (len(q.expected) > 1 or a.ids[0] != q.expected[0])]


def test_recall_on_the_corpus(
    capsys: pytest.CaptureFixture[str], migrated_file: Path, tmp_path: Path, postgresql_url: str
) -> None:
    """
    Recall at 5 holds on the development half, and on the questions by kind. No answer is certain and wrong, or certain
    where several orders fit; each other answer asks something. SQLite and PostgreSQL give the same answers. Of several
    orders that fit, all are among the five.
    """
    everything = questions()
    assert len(everything) >= 300
    assert sum(question.rule == "hand" for question in everything) >= 60
    urls = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'corpus.db')}", postgresql_url
    with ThreadPoolExecutor(2) as both:
        here, there = both.map(ask_all, urls, [everything] * 2)
    answers = dict(zip(everything, here, strict=True))
    halves = {
        name: {question: answer for question, answer in answers.items() if question.is_for_development is wanted}
        for name, wanted in (("development", True), ("report only", False))
    }
    with capsys.disabled():
        for name, half in halves.items():
            certain = sum(answer.is_certain for answer in half.values())
            print(  # noqa: T201
                f"\nlookup, {name}: {len(half)} questions, recall at 1 {recall(half, 1):.3f}, "
                f"at 5 {recall(half, 5):.3f}, certain {certain}, certain and wrong {len(certain_and_wrong(half))}"
            )
    assert recall(halves["development"], 5) >= MIN_RECALL_AT_FIVE
    by_kind = {question: answer for question, answer in answers.items() if question.rule in QUESTIONS_BY_KIND}
    assert recall(by_kind, 5) >= MIN_RECALL_AT_FIVE
    assert [q for q, a in answers.items() if not a.is_certain and a.clarifying_question is None] == []
    assert certain_and_wrong(answers) == []
    assert any(answer.is_certain for answer in answers.values())
    assert [(q, a, b) for q, a, b in zip(everything, here, there, strict=True) if a != b] == []
    several = {q: a for q, a in halves["development"].items() if q.rule == "hand" and len(q.expected) > 1}
    assert [q for q, a in several.items() if not set(q.expected) <= set(a.ids)] == []
