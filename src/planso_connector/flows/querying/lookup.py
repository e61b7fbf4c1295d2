"""
Recognise: which orders a caller may mean, ranked. One read transaction finds candidates by their keys, each step
bounded; `domain.match` weighs them. PlanSo is not involved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from planso_connector.domain.language import Language
from planso_connector.domain.recognition import emails, matching, names, phones, plate, transcript
from planso_connector.domain.recognition.clarifying_question import choose_question
from planso_connector.domain.recognition.matching import LookupQuery, Match, SpokenPlate
from planso_connector.domain.recognition.transcript import Transcript
from planso_connector.flows.querying.orders import QUERY_TIMEOUT, mirror_not_filled_error
from planso_connector.flows.querying.reindex import not_indexed_error
from planso_connector.store import lookup_keys, sync_runs
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.engine.transaction import Row
from planso_connector.store.lookup_keys import Key, KeyKind, KeySearch, RebuildProgress

MAX_EXACT = 200
"""Orders with the same plate, number or address: all of them count for certainty, and no caller has more."""

MAX_ROUGH = 60
"""Orders that one rough step finds."""

MAX_WORDS = 6
MAX_SEARCH_KEYS = 10
"""Words, and what two of them are together, that are looked for; of the first `WORDS_AT_MOST` any two."""
MAX_PLATES = 6
MAX_MISHEARD_PLATES = 2
"""So many of the readings of what was said are looked for with a letter wrong."""

MAX_COMMON_NAME_ORDERS = 3000
"""Of the orders with a common name, the newest that are looked at for a second one."""

MAX_CANDIDATES = 400
"""Orders that are weighed at most."""

MIN_PART = 2
MIN_LAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What was said, as far as it is known what it is; texts as they came, None where nothing was."""

    anything: str | None = None
    plate: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class LookupResult:
    """
    `matches` best first, each with its order's row; `question` what was understood. `rebuild`: how far the keys are
    that are being written anew; other orders may fit better then, and nothing is certain.
    """

    matches: tuple[tuple[Match, Row], ...]
    is_certain: bool
    ask: str | None
    question: LookupQuery
    rebuild: RebuildProgress | None


class LookupService:
    """Lives as long as the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, asked: LookupRequest, *, archived: bool, limit: int, language: Language) -> LookupResult:
        """Raises NotIndexed, NotFilled where nothing is found and the keys, or the mirror, are not complete yet."""

        def work(tx: Transaction) -> tuple[list[Row], RebuildProgress | None]:
            found = self._candidates(tx, question, archived=archived)
            return found, lookup_keys.read_rebuild_progress(tx)

        question = parse_request(asked)
        found, rebuild = await self._database.read(work, within=QUERY_TIMEOUT)
        rows = {row["id"]: row for row in found}
        weighed = (matching.match_order(question, lookup_keys.order_facts(row), plate.distance) for row in found)
        ranking = matching.rank_matches(one for one in weighed if one is not None)
        if not ranking.matches:
            await self._none_there(rebuild)
        is_certain = ranking.is_certain and rebuild is None
        ask = None if is_certain else choose_question(ranking.matches, language)
        shown = tuple((one, rows[one.order_id]) for one in ranking.matches[:limit])
        return LookupResult(shown, is_certain, ask, question, rebuild)

    async def _none_there(self, rebuild: RebuildProgress | None) -> None:
        """Raises what is told where nothing was found and nobody knows whether there is nothing."""
        if rebuild is not None:
            raise not_indexed_error(rebuild)
        if await self._database.read(lambda tx: sync_runs.get_last_success(tx)) is None:
            raise mirror_not_filled_error()

    def _candidates(self, tx: Transaction, question: LookupQuery, *, archived: bool) -> list[Row]:
        recall = KeySearch(tx, archived=archived)
        ids = dict.fromkeys(_found(recall, question))
        return lookup_keys.load_candidates(tx, list(ids)[:MAX_CANDIDATES])


def parse_request(asked: LookupRequest) -> LookupQuery:
    """The question in what was said; what was said of one kind is taken for that kind."""
    said = transcript.parse_transcript(asked.anything) if asked.anything else Transcript()
    of_plate = transcript.parse_transcript(asked.plate) if asked.plate else Transcript()
    of_phone = _phone(asked.phone) if asked.phone else Transcript()
    of_email = transcript.parse_transcript(asked.email) if asked.email else Transcript()
    digits = of_phone.phones or ((asked.phone,) if asked.phone else ())
    addresses = of_email.emails or ((asked.email,) if asked.email else ())
    return LookupQuery(
        plates=(*of_plate.plates, *said.plates)[:MAX_PLATES],
        names=tuple((asked.name or "").split()[:MAX_WORDS]),
        phones=(*digits, *said.phones),
        emails=(*addresses, *said.emails),
        words=said.words,
    )


def _phone(text: str) -> Transcript:
    """A few digits are a phone number here; elsewhere only after a word that says so."""
    said = transcript.parse_transcript(text)
    return said if said.phones else transcript.parse_transcript(f"Telefon {text}")


def _found(recall: KeySearch, question: LookupQuery) -> Iterable[int]:
    """The surest first, because there is a bound."""
    yield from _by_plate(recall, question.plates)
    for text in question.phones:
        keys = phones.search_keys(text)
        yield from recall.one_of(KeyKind.PHONE, (key[::-1] for key in keys), MAX_EXACT)
    for text in question.emails:
        yield from _by_email(recall, text)
    yield from _by_name(recall, (*question.names, *question.words))
    yield from _roughly_by_plate(recall, question.plates)
    for text in question.phones:
        digits = "".join(sign for sign in text if sign.isdigit())
        if len(digits) >= MIN_LAST_DIGITS:
            yield from recall.begins(KeyKind.PHONE, digits.lstrip("0")[::-1] or digits, MAX_ROUGH)


def _by_plate(recall: KeySearch, plates: Sequence[SpokenPlate]) -> Iterable[int]:
    whole = [one.key for one in plates if not one.part]
    if whole:
        yield from recall.plates(whole, MAX_EXACT)


def _roughly_by_plate(recall: KeySearch, plates: Sequence[SpokenPlate]) -> Iterable[int]:
    for one in [one for one in plates if not one.part][:MAX_MISHEARD_PLATES]:
        yield from recall.plates(plate.misheard_variants(one.key), MAX_ROUGH)
    for one in plates:
        if len(one.key) >= MIN_PART:
            yield from recall.begins(KeyKind.PLATE, one.key, MAX_ROUGH)


def _by_email(recall: KeySearch, text: str) -> Iterable[int]:
    address = emails.normalize(text)
    if address:
        yield from recall.same(KeyKind.EMAIL, address, MAX_EXACT)
        local = address.partition("@")[0]
        if len(local) >= MIN_LAST_DIGITS:
            yield from recall.begins(KeyKind.EMAIL, local, MAX_ROUGH)


def _by_name(recall: KeySearch, words: Sequence[str]) -> Iterable[int]:
    said = _probes(words)
    for one, other in combinations(said[:MAX_WORDS], 2):
        for kinds in _PAIRS:
            keys = [_key(kind, word) for kind, word in zip(kinds, (one, other), strict=True)]
            if all(key[1] for key in keys):
                yield from recall.both(keys[0], keys[1], MAX_ROUGH, looked_at=MAX_COMMON_NAME_ORDERS)
    for word in said:
        yield from recall.same(KeyKind.WORD, word, MAX_ROUGH)
    for word in said:
        if len(word) > 1 and (sound := names.phonetic_code(word)):
            yield from recall.same(KeyKind.SOUND, sound, MAX_ROUGH)
    for word in said:
        if near := names.typo_variants(word):
            yield from recall.one_of(KeyKind.WORD, near, MAX_ROUGH)
        if len(word) > MIN_PART:
            yield from recall.begins(KeyKind.WORD, word, MAX_ROUGH)


def _probes(words: Sequence[str]) -> list[str]:
    """What to look for: the words before what two of them are together, long ones first, which fewer orders have."""
    said = words[: 2 * MAX_WORDS]
    alone = frozenset[str]().union(*(names.search_keys((word,)).words for word in said))
    every = sorted(names.search_keys(said).words, key=lambda word: (word not in alone, -len(word), word))
    return every[:MAX_SEARCH_KEYS]


_PAIRS = (
    (KeyKind.WORD, KeyKind.WORD),
    (KeyKind.SOUND, KeyKind.WORD),
    (KeyKind.WORD, KeyKind.SOUND),
    (KeyKind.SOUND, KeyKind.SOUND),
)


def _key(kind: KeyKind, word: str) -> Key:
    return kind.value, word if kind is KeyKind.WORD else names.phonetic_code(word)
