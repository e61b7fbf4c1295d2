"""
Recognise: which orders a caller may mean, ranked. One read transaction finds candidates by their keys, each step
bounded; `domain.match` weighs them. PlanSo is not involved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from planso_connector.domain.progress.sentence import Language
from planso_connector.domain.recognition import emails, matching, names, phones, plate, transcript
from planso_connector.domain.recognition.clarifying_question import ask as question_for
from planso_connector.domain.recognition.matching import HeardPlate, Match, Question
from planso_connector.domain.recognition.transcript import Heard
from planso_connector.flows.querying.orders import WITHIN, not_filled
from planso_connector.flows.querying.reindex import not_yet
from planso_connector.store import lookup_keys, sync_runs
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.transaction import Row
from planso_connector.store.lookup_keys import Key, Kind, Rebuild, Recall

EXACT_AT_MOST = 200
"""Orders with the same plate, number or address: all of them count for certainty, and no caller has more."""

ROUGH_AT_MOST = 60
"""Orders that one rough step finds."""

WORDS_AT_MOST = 6
PROBES_AT_MOST = 10
"""Words, and what two of them are together, that are looked for; of the first `WORDS_AT_MOST` any two."""
PLATES_AT_MOST = 6
NEAR_PLATES_AT_MOST = 2
"""So many of the readings of what was said are looked for with a letter wrong."""

LOOKED_AT = 3000
"""Of the orders with a common name, the newest that are looked at for a second one."""

CANDIDATES = 400
"""Orders that are weighed at most."""

PART_AT_LEAST = 2
LAST_DIGITS_AT_LEAST = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said, as far as it is known what it is; texts as they came, None where nothing was."""

    anything: str | None = None
    plate: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """
    `matches` best first, each with its order's row; `question` what was understood. `rebuild`: how far the keys are
    that are being written anew; other orders may fit better then, and nothing is certain.
    """

    matches: tuple[tuple[Match, Row], ...]
    is_certain: bool
    ask: str | None
    question: Question
    rebuild: Rebuild | None


class Recognition:
    """Lives as long as the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, asked: Asked, *, archived: bool, limit: int, language: Language) -> Recognised:
        """Raises NotIndexed, NotFilled where nothing is found and the keys, or the mirror, are not complete yet."""

        def work(tx: Transaction) -> tuple[list[Row], Rebuild | None]:
            found = self._candidates(tx, question, archived=archived)
            return found, lookup_keys.rebuild(tx)

        question = understood(asked)
        found, rebuild = await self._database.read(work, within=WITHIN)
        rows = {row["id"]: row for row in found}
        weighed = (matching.score(question, lookup_keys.facts(row), plate.distance) for row in found)
        ranking = matching.rank(one for one in weighed if one is not None)
        if not ranking.matches:
            await self._none_there(rebuild)
        is_certain = ranking.is_certain and rebuild is None
        ask = None if is_certain else question_for(ranking.matches, language)
        shown = tuple((one, rows[one.order_id]) for one in ranking.matches[:limit])
        return Recognised(shown, is_certain, ask, question, rebuild)

    async def _none_there(self, rebuild: Rebuild | None) -> None:
        """Raises what is told where nothing was found and nobody knows whether there is nothing."""
        if rebuild is not None:
            raise not_yet(rebuild)
        if await self._database.read(lambda tx: sync_runs.last_success(tx)) is None:
            raise not_filled()

    def _candidates(self, tx: Transaction, question: Question, *, archived: bool) -> list[Row]:
        recall = Recall(tx, archived=archived)
        ids = dict.fromkeys(_found(recall, question))
        return lookup_keys.shown(tx, list(ids)[:CANDIDATES])


def understood(asked: Asked) -> Question:
    """The question in what was said; what was said of one kind is taken for that kind."""
    said = transcript.hear(asked.anything) if asked.anything else Heard()
    of_plate = transcript.hear(asked.plate) if asked.plate else Heard()
    of_phone = _phone(asked.phone) if asked.phone else Heard()
    of_email = transcript.hear(asked.email) if asked.email else Heard()
    digits = of_phone.phones or ((asked.phone,) if asked.phone else ())
    addresses = of_email.emails or ((asked.email,) if asked.email else ())
    return Question(
        plates=(*of_plate.plates, *said.plates)[:PLATES_AT_MOST],
        names=tuple((asked.name or "").split()[:WORDS_AT_MOST]),
        phones=(*digits, *said.phones),
        emails=(*addresses, *said.emails),
        words=said.words,
    )


def _phone(text: str) -> Heard:
    """A few digits are a phone number here; elsewhere only after a word that says so."""
    said = transcript.hear(text)
    return said if said.phones else transcript.hear(f"Telefon {text}")


def _found(recall: Recall, question: Question) -> Iterable[int]:
    """The surest first, because there is a bound."""
    yield from _by_plate(recall, question.plates)
    for text in question.phones:
        keys = phones.probes(text)
        yield from recall.one_of(Kind.PHONE, (key[::-1] for key in keys), EXACT_AT_MOST)
    for text in question.emails:
        yield from _by_email(recall, text)
    yield from _by_name(recall, (*question.names, *question.words))
    yield from _roughly_by_plate(recall, question.plates)
    for text in question.phones:
        digits = "".join(sign for sign in text if sign.isdigit())
        if len(digits) >= LAST_DIGITS_AT_LEAST:
            yield from recall.begins(Kind.PHONE, digits.lstrip("0")[::-1] or digits, ROUGH_AT_MOST)


def _by_plate(recall: Recall, plates: Sequence[HeardPlate]) -> Iterable[int]:
    whole = [one.key for one in plates if not one.part]
    if whole:
        yield from recall.plates(whole, EXACT_AT_MOST)


def _roughly_by_plate(recall: Recall, plates: Sequence[HeardPlate]) -> Iterable[int]:
    for one in [one for one in plates if not one.part][:NEAR_PLATES_AT_MOST]:
        yield from recall.plates(plate.near(one.key), ROUGH_AT_MOST)
    for one in plates:
        if len(one.key) >= PART_AT_LEAST:
            yield from recall.begins(Kind.PLATE, one.key, ROUGH_AT_MOST)


def _by_email(recall: Recall, text: str) -> Iterable[int]:
    address = emails.key(text)
    if address:
        yield from recall.same(Kind.EMAIL, address, EXACT_AT_MOST)
        local = address.partition("@")[0]
        if len(local) >= LAST_DIGITS_AT_LEAST:
            yield from recall.begins(Kind.EMAIL, local, ROUGH_AT_MOST)


def _by_name(recall: Recall, words: Sequence[str]) -> Iterable[int]:
    said = _probes(words)
    for one, other in combinations(said[:WORDS_AT_MOST], 2):
        for kinds in _PAIRS:
            keys = [_key(kind, word) for kind, word in zip(kinds, (one, other), strict=True)]
            if all(key[1] for key in keys):
                yield from recall.both(keys[0], keys[1], ROUGH_AT_MOST, looked_at=LOOKED_AT)
    for word in said:
        yield from recall.same(Kind.WORD, word, ROUGH_AT_MOST)
    for word in said:
        if len(word) > 1 and (sound := names.sound(word)):
            yield from recall.same(Kind.SOUND, sound, ROUGH_AT_MOST)
    for word in said:
        if near := names.neighbours(word):
            yield from recall.one_of(Kind.WORD, near, ROUGH_AT_MOST)
        if len(word) > PART_AT_LEAST:
            yield from recall.begins(Kind.WORD, word, ROUGH_AT_MOST)


def _probes(words: Sequence[str]) -> list[str]:
    """What to look for: the words before what two of them are together, long ones first, which fewer orders have."""
    said = words[: 2 * WORDS_AT_MOST]
    alone = frozenset[str]().union(*(names.probes((word,)).words for word in said))
    every = sorted(names.probes(said).words, key=lambda word: (word not in alone, -len(word), word))
    return every[:PROBES_AT_MOST]


_PAIRS = ((Kind.WORD, Kind.WORD), (Kind.SOUND, Kind.WORD), (Kind.WORD, Kind.SOUND), (Kind.SOUND, Kind.SOUND))


def _key(kind: Kind, word: str) -> Key:
    return kind.value, word if kind is Kind.WORD else names.sound(word)
