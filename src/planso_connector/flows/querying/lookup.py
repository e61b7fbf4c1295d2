"""
Find the orders that a caller may mean: one read transaction collects candidates by their lookup keys, with a limit on
each step; `domain.recognition.matching` scores them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from planso_connector.domain.language import Language
from planso_connector.domain.recognition import emails, matching, names, phones, plate
from planso_connector.domain.recognition.clarifying_question import choose_question
from planso_connector.domain.recognition.matching import LookupQuery, Match, OrderFacts
from planso_connector.domain.recognition.plate import SpokenPlate
from planso_connector.domain.recognition.transcript import Transcript, parse_transcript
from planso_connector.flows.querying.orders import QUERY_TIMEOUT, mirror_not_filled_error
from planso_connector.flows.querying.reindex import not_indexed_error
from planso_connector.store import lookup_keys, sync_runs
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import KeyKind, KeySearch, RebuildProgress

MAX_EXACT = 200
"""Orders with the same plate, number or address: all count for certainty, and no caller has more."""
MAX_ROUGH = 60
"""Orders from one step that matches roughly."""
MAX_NAMESAKES = 200
"""Orders with one word of a name, where another word may choose among them."""
MAX_WORDS = 6
MAX_SEARCH_KEYS = 10
"""Words, and pairs of words as one, to search for; of the first `MAX_WORDS` also any two together."""
MAX_PLATES = 6
MAX_MISHEARD_PLATES = 2
"""Plates that are searched for with a letter wrong as well."""
MAX_COMMON_NAME_ORDERS = 3000
"""The newest orders with a common name that are searched for a second one."""
MAX_CANDIDATES = 400
SURE_PLATE = 0.9
MIN_PART = 2
MIN_LAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What a caller said, as transcribed: `free_text` about anything, the others each about one fact."""

    free_text: str | None = None
    plate: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class LookupResult:
    matches: tuple[Match, ...]
    """Best first."""
    is_certain: bool
    clarifying_question: str | None
    """None where it is certain."""
    query: LookupQuery
    """What was understood."""
    rebuild: RebuildProgress | None
    """While the keys are being rebuilt other orders may fit better, so nothing is certain."""


class LookupService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: LookupRequest, *, archived: bool, limit: int, language: Language) -> LookupResult:
        """Raises IndexNotReady or NotFilled where nothing is found while keys or mirror are incomplete."""
        query = parse_request(request)

        def work(tx: Transaction) -> tuple[list[OrderFacts], RebuildProgress | None]:
            ids = dict.fromkeys(_candidate_ids(KeySearch(tx, archived=archived), query))
            candidates = lookup_keys.load_candidates(tx, list(ids)[:MAX_CANDIDATES])
            return candidates, lookup_keys.read_rebuild_progress(tx)

        candidates, rebuild = await self._database.read(work, within=QUERY_TIMEOUT)
        matches = (matching.match_order(query, facts) for facts in candidates)
        ranking = matching.rank_matches(match for match in matches if match is not None)
        if not ranking.matches:
            await self._check_completeness(rebuild)
        is_certain = ranking.is_certain and rebuild is None
        question = None if is_certain else choose_question(ranking.matches, query, language)
        return LookupResult(ranking.matches[:limit], is_certain, question, query, rebuild)

    async def match_order(self, order_id: int, request: LookupRequest) -> Match | None:
        """
        How well one order fits that is asked for by its id, `order` among `fits`, and what speaks against it; None
        where there is no such order. Raises MirrorNotFilled.
        """
        query = replace(parse_request(request), order_ids=(order_id,))

        found = await self._database.read(lambda tx: lookup_keys.load_candidates(tx, [order_id]), within=QUERY_TIMEOUT)
        if not found:
            await self._check_completeness(None)
            return None
        return matching.match_order(query, found[0])

    async def _check_completeness(self, rebuild: RebuildProgress | None) -> None:
        if await self._database.read_briefly(sync_runs.get_last_success) is None:
            raise mirror_not_filled_error()
        if rebuild is not None:
            raise not_indexed_error(rebuild)


def parse_request(request: LookupRequest) -> LookupQuery:
    """What was understood. A text about one fact counts for that fact alone."""
    free_text = parse_transcript(request.free_text or "")
    phone_texts = _parse_phone(request.phone or "").phones or ((request.phone,) if request.phone else ())
    addresses = parse_transcript(request.email or "").emails or ((request.email,) if request.email else ())
    return LookupQuery(
        plates=(*parse_transcript(request.plate or "").plates, *free_text.plates)[:MAX_PLATES],
        names=tuple((request.name or "").split()[:MAX_WORDS]),
        phones=(*phone_texts, *free_text.phones),
        emails=(*addresses, *free_text.emails),
        words=free_text.words,
        order_ids=tuple(map(int, free_text.order_numbers)),
        loose_digits=free_text.loose_digits,
    )


def _parse_phone(text: str) -> Transcript:
    """Few digits are a phone number here; in free text only after a word such as `Telefon`."""
    said = parse_transcript(text)
    return said if said.phones else parse_transcript(f"Telefon {text}")


def _candidate_ids(search: KeySearch, query: LookupQuery) -> Iterable[int]:
    """The likeliest first, since they are cut at `MAX_CANDIDATES`."""
    whole_plates = [spoken.key for spoken in query.plates if not spoken.is_part]
    sure_plates = [spoken.key for spoken in query.plates if not spoken.is_part and spoken.certainty >= SURE_PLATE]
    found = search.plates(sure_plates, MAX_EXACT)
    yield from found
    yield from search.orders(query.order_ids)
    yield from search.plates([key for key in whole_plates if key not in sure_plates], MAX_EXACT)
    for text in query.phones:
        yield from search.any_of(KeyKind.PHONE, (key[::-1] for key in phones.search_keys(text)), MAX_EXACT)
    for text in query.emails:
        yield from _by_email(search, text)
    # Beside an order with the plate itself, no other is near by a single word.
    yield from _by_name(search, (*query.names, *query.words), only_pairs=bool(found))
    for key in whole_plates[:MAX_MISHEARD_PLATES]:
        yield from search.plates(plate.misheard_variants(key), MAX_ROUGH)
    yield from _by_plate_part(search, query.plates)
    for text in (*query.phones, *query.loose_digits):
        digits = "".join(sign for sign in text if sign.isdigit())
        if len(digits) >= MIN_LAST_DIGITS:
            yield from search.prefix(KeyKind.PHONE, digits.lstrip("0")[::-1] or digits, MAX_ROUGH)


def _by_plate_part(search: KeySearch, plates: Sequence[SpokenPlate]) -> Iterable[int]:
    for spoken in plates:
        if len(spoken.key) >= MIN_PART:
            yield from search.prefix(KeyKind.PLATE, spoken.key, MAX_ROUGH)


def _by_email(search: KeySearch, text: str) -> Iterable[int]:
    address = emails.normalize(text)
    if address:
        yield from search.equal(KeyKind.EMAIL, address, MAX_EXACT)
        local = address.partition("@")[0]
        if len(local) >= MIN_LAST_DIGITS:
            yield from search.prefix(KeyKind.EMAIL, local, MAX_ROUGH)


def _by_name(search: KeySearch, asked: Sequence[str], *, only_pairs: bool) -> Iterable[int]:
    words = _search_words(asked)
    pairs = [pair for pair in combinations(words[:MAX_WORDS], 2) if not _is_part_of_other(*pair)]
    for first, second in pairs:
        yield from search.both((KeyKind.WORD, first), (KeyKind.WORD, second), MAX_ROUGH, newest=MAX_COMMON_NAME_ORDERS)
    for first, second in pairs:
        sounds = names.phonetic_code(first), names.phonetic_code(second)
        if all(sounds):
            key, other = ((KeyKind.SOUND, sound) for sound in sounds)
            yield from search.both(key, other, MAX_ROUGH, newest=MAX_COMMON_NAME_ORDERS)
    if only_pairs:
        return
    common: set[str] = set()
    for word in words:
        # What else was said, such as the vehicle, chooses among many with a common name.
        ids = search.equal(KeyKind.WORD, word, MAX_NAMESAKES if len(asked) > 1 else MAX_ROUGH)
        if len(ids) >= MAX_ROUGH:
            common.add(word)
        yield from ids
    for word in words:
        if len(word) > 1 and (sound := names.phonetic_code(word)):
            yield from search.equal(KeyKind.SOUND, sound, MAX_ROUGH)
    for word in words:
        if word in common:  # they fit better than any with a typo
            continue
        yield from search.any_of(KeyKind.WORD, names.typo_variants(word), MAX_ROUGH)
        if len(word) > MIN_PART:
            yield from search.prefix(KeyKind.WORD, word, MAX_ROUGH)


def _is_part_of_other(first: str, second: str) -> bool:
    """`jana` of `janapetersen`, its words said as one."""
    short, long = sorted((first, second), key=len)
    return long.startswith(short) or long.endswith(short)


def _search_words(asked: Sequence[str]) -> list[str]:
    """The words to search for: single ones before joined ones, and long ones first, which fewer orders have."""
    asked = asked[: 2 * MAX_WORDS]
    single = frozenset[str]().union(*(names.search_keys((word,)).words for word in asked))
    words = sorted(names.search_keys(asked).words, key=lambda word: (word not in single, -len(word), word))
    return words[:MAX_SEARCH_KEYS]
