"""What a caller said, understood: plates and parts of them, phone numbers, e-mail addresses, and the words left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, islice, pairwise, product

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.recognition import dictated_email, spelling
from planso_connector.domain.recognition.plate import split_key, strip_season
from planso_connector.domain.recognition.spelling import Segment, SegmentKind
from planso_connector.domain.recognition.vocabulary import HESITATIONS, PLATE_LABELS, PLATE_SUFFIXES, VEHICLE_WORDS

MAX_PLATES = 20

_ALIGNED = 0.95
"""A district code, and it ends where the caller paused."""
_SPLIT_ELSEWHERE = 0.75
_NO_READING = 0.3
_MOST_LETTERS = 6
_MOST_SEGMENTS = 8
_MOST_SPELLINGS = 12
_PHONE_FROM = 7
_PHONE_TO = 15
"""Digits of the longest number, as E.164 has it: without `00` in front."""

_PHONE_WORDS = frozenset(
    """
    telefon telefonnummer handy handynummer mobil mobilnummer rueckrufnummer rufnummer festnetz festnetznummer
    erreichbar vorwahl phone rueckruf tel mobile durchwahl
    """.split()  # noqa: SIM905
)
_CALLED = frozenset("herr herrn frau familie firma mister mr mrs heisse name fahrer halter kunde kundin".split())  # noqa: SIM905
"""A name follows."""
_MONTHS = re.compile(r"((0[1-9]|1[0-2]){2})")


@dataclass(frozen=True, slots=True)
class SpokenPlate:
    key: str
    """As `fold.fold_plate` makes it, without the months of a seasonal plate."""
    certainty: float
    """1: nothing else can have been said; else below 1, comparable within one question only."""
    part: bool = False
    """Only the digits or only the letters were said."""


@dataclass(frozen=True, slots=True)
class Transcript:
    plates: tuple[SpokenPlate, ...] = ()
    """Best first."""
    phones: tuple[str, ...] = ()
    """Digits as said, `+` in front where it was said."""
    emails: tuple[str, ...] = ()
    """Lower case; several where it is unclear where the address begins."""
    words: tuple[str, ...] = ()
    """As said, in the order said. Spelling words that may be names are here as well."""


@dataclass(frozen=True, slots=True)
class _Guess:
    key: str
    score: float
    used: frozenset[int]
    safe: bool = False
    """No word that could mean something else was read as signs."""
    part: bool = False


@lru_cache(maxsize=512)
def parse_transcript(text: str) -> Transcript:
    """What the first `spelling.LONGEST` characters of `text` say."""
    emails, text = dictated_email.extract_emails(text[: spelling.MAX_CHARACTERS])
    items = _with_names(spelling.split_segments(text))
    phones, items = _phones(items, text)
    guesses = _guesses(items)
    return Transcript(_ranked(guesses), phones, emails, _words(items, guesses, text))


def _with_names(items: Sequence[Segment]) -> list[Segment]:
    """The same, but what follows `Frau` or `ich heiße` is a name, even if it is `Nordpol`."""
    found: list[Segment] = []
    called = False
    for item in items:
        found.append(Segment(SegmentKind.WORD, item.said, at=item.at) if called and item.named else item)
        called = fold(item.said) in _CALLED or (called and item.kind is SegmentKind.FILLER)
    return found


# Plates


def _guesses(items: Sequence[Segment]) -> list[_Guess]:
    found: list[_Guess] = []
    groups = [i for i, item in enumerate(items) if item.kind is SegmentKind.DIGITS]
    for i in groups:
        full = list(_full(items, i)) or list(_letters_behind(items, i))
        found += full
        if max((guess.score for guess in full), default=0) < _SPLIT_ELSEWHERE:
            found += _digits_alone(items, i, discount=0.25 if full else 0)
    found += _foreign(items)
    if not any(not guess.part for guess in found):
        found += _letters_alone(items)
    return found


def _full(items: Sequence[Segment], i: int) -> Iterator[_Guess]:
    """Plates whose digits are the group at `i`."""
    narrow = _letters_before(items, i)
    voiced = _letters_before(items, i, fillers=_VOICED)
    short = _letters_before(items, i, fillers=_SHORT)
    taken_back = any(item.kind is SegmentKind.CORRECTION for item in items[i + 1 :])
    doubted = len(short) > len(narrow)
    spoken = sum(items[at].voiced for at in voiced) >= 2
    for run, discount in ((narrow, 0.1 if spoken and len(voiced) > len(narrow) else 0.0), (voiced, 0.0), (short, 0.2)):
        if run is not narrow and len(run) == len(narrow):
            continue
        if (run is voiced and not spoken) or not narrow:
            continue
        for guess in _windows(items, i, run):
            score = guess.score - discount - (0.2 if taken_back else 0.0)
            yield replace(guess, score=max(score, 0.01), safe=guess.safe and not doubted and not taken_back)


def _letters_behind(items: Sequence[Segment], i: int) -> Iterator[_Guess]:
    """`hinten 2309, vorne WN AE`."""
    run: list[int] = []
    for at in range(i + 1, len(items)):
        if items[at].kind is SegmentKind.LETTERS and len(run) < _MOST_SEGMENTS:
            run.append(at)
        elif items[at].kind is not SegmentKind.FILLER:
            break
    if any(item.kind is SegmentKind.DIGITS for item in items[i + 1 :]):
        return
    for end in range(len(run), 0, -1):
        for guess in _windows(items, i, run[:end]):
            if split_key(guess.key):
                score = guess.score - 0.3 - 0.1 * (len(run) - end)
                yield replace(guess, score=max(score, 0.01), safe=False)


_NONE, _VOICED, _SHORT = range(3)
"""Which filler words are taken for letters: none; letters' names, as in `er es`; any of two letters, as in `in`."""


def _letters_before(items: Sequence[Segment], i: int, *, fillers: int = _NONE) -> tuple[int, ...]:
    """The letters, by where they were said, that digits at `i` may belong to; beyond digits that were taken back."""
    run: list[int] = []
    letters = 0
    corrected = False
    for at in range(i - 1, -1, -1):
        item = items[at]
        if item.kind is SegmentKind.FILLER:
            if run and fold(item.said) in PLATE_LABELS:
                break
            if not item.options or not ((fillers == _SHORT and len(item.said) <= 2) or (fillers and item.voiced)):
                if fillers == _SHORT and run and fold(item.said) not in HESITATIONS:
                    break
                continue
        elif item.kind is SegmentKind.CORRECTION or (item.kind is SegmentKind.DIGITS and corrected):
            if run:
                break
            corrected = True
            continue
        elif item.kind is not SegmentKind.LETTERS:
            break
        letters += min(map(len, item.options))
        if letters > _MOST_LETTERS + 2 or len(run) >= _MOST_SEGMENTS:
            break
        run.append(at)
    return tuple(reversed(run))


def _windows(items: Sequence[Segment], i: int, run: Sequence[int]) -> Iterator[_Guess]:
    """Plates made of the digits at `i` and the last letters before them, from each word on."""
    all_sure = all(items[at].sure for at in run)
    for start in range(len(run)):
        window = [items[at] for at in run[start:]]
        skipped = sum(0.25 if items[at].sure else 0.15 for at in run[:start])
        found = False
        for misread, signs in _spellings(window):
            letters = "".join(signs)
            if not 2 <= len(letters) <= _MOST_LETTERS:
                continue
            for unlikely, digits in _digit_choices(items[i]):
                for odd, suffix, behind in _suffixes(items, i):
                    key = strip_season(letters + digits + suffix)
                    score = _fit(key, signs, window, items[i]) - skipped - misread - unlikely - odd
                    safe = start == 0 and score >= _ALIGNED and _is_safe(window, items[i])
                    found = found or score >= _ALIGNED
                    yield _Guess(key, max(score, 0.01), frozenset([*run[start:], i, *behind]), safe)
        if found and all_sure:
            return


def _is_safe(window: Sequence[Segment], digits: Segment) -> bool:
    spelled = sum(item.named for item in window)
    return len(digits.options) == 1 and all(
        len(item.options) == 1 and (item.sure or (item.named and spelled > 2)) for item in window
    )


def _spellings(items: Sequence[Segment]) -> list[tuple[float, tuple[str, ...]]]:
    """The signs of each word, with how unlikely they are together."""
    ranked = (
        (0.1 * sum(rank for rank, _ in choice), tuple(signs for _, signs in choice))
        for choice in islice(product(*(tuple(enumerate(item.options)) for item in items)), 4 * _MOST_SPELLINGS)
    )
    return sorted(ranked, key=lambda choice: choice[0])[:_MOST_SPELLINGS]


def _fit(key: str, signs: Sequence[str], window: Sequence[Segment], digits: Segment) -> float:
    """How well the key's readings fit the gaps between what was said."""
    plates = split_key(key)
    if not plates:
        return _NO_READING
    if len(signs) == 1:
        whole = digits.glued or window[0].explained or (window[0].sure and len(signs[0]) > 2)
        return _ALIGNED if whole else _SPLIT_ELSEWHERE - 0.1
    if window[0].named and not any(item.named for item in window[1:]):  # Otto, B AB 123
        return _SPLIT_ELSEWHERE
    ends = set(accumulate(map(len, signs)))
    aligned = any(len(fold_plate(plate.district)) in ends for plate in plates)
    return _ALIGNED if aligned else _SPLIT_ELSEWHERE


def _digit_choices(item: Segment) -> list[tuple[float, str]]:
    """Digits of a plate, each with how unlikely it is: of a longer group also what comes first in it."""
    choices = [(0.12 * rank, digits) for rank, digits in enumerate(item.options) if len(digits) <= 8]
    if len("".join(item.pieces)) <= 4:
        return choices
    ends = [0]
    for piece in item.pieces[:8]:
        ends.append(ends[-1] + len(piece))
    whole = "".join(item.pieces)
    for end in reversed(ends[1:]):
        if end <= 4:
            seasonal = _MONTHS.fullmatch(whole[end:]) is not None
            choices.append((0.0 if seasonal else 0.1 + 0.05 * (4 - end), whole[:end]))
    return choices


def _suffixes(items: Sequence[Segment], i: int) -> list[tuple[float, str, tuple[int, ...]]]:
    """E or H behind the digits: how unlikely, the letter, the items that say it."""
    plainly = (0.0, "", ())
    for at in range(i + 1, min(i + 5, len(items))):
        item = items[at]
        suffix = PLATE_SUFFIXES.get(fold(item.said))
        if suffix is not None:
            return [(0.0, suffix, (at,)), (0.1, "", ())]
        if item.kind is SegmentKind.LETTERS and item.options[0] in ("E", "H"):
            if item.sure or at + 1 == len(items):
                return [(0.0, item.options[0], (at,)), (0.1, "", ())]
            return [plainly, (0.15, item.options[0], (at,))]
        if item.kind is not SegmentKind.FILLER:
            break
    return [plainly]


def _digits_alone(items: Sequence[Segment], i: int, *, discount: float) -> Iterator[_Guess]:
    item = items[i]
    for rank, digits in enumerate(item.options):
        if 2 <= len(digits) <= 4:
            score = (0.5 if len(digits) > 2 else 0.2) - 0.1 * rank - discount
            yield _Guess(digits, max(score, 0.01), frozenset([i]), part=True)
        elif len(items) == 1 and len(digits) == 1:
            yield _Guess(digits, 0.1, frozenset([i]), part=True)


def _letters_alone(items: Sequence[Segment]) -> Iterator[_Guess]:
    """`WN-AE` without its digits."""
    run: list[int] = []
    for i, item in enumerate([*items, Segment(SegmentKind.WORD, "")]):
        if item.kind is SegmentKind.LETTERS:
            run.append(i)
        elif run and item.kind is not SegmentKind.FILLER:
            yield from _lettered(items, run)
            run = []


def _lettered(items: Sequence[Segment], run: Sequence[int]) -> Iterator[_Guess]:
    letters = [items[i] for i in run]
    key = "".join(item.options[0] for item in letters)
    surely = next((at for at, item in enumerate(letters) if item.sure), 0)
    if surely and all(item.sure for item in letters[surely:]):  # Bek, LB LF
        yield from _lettered(items, run[surely:])
    if not 2 <= len(key) <= _MOST_LETTERS:
        return
    explicit = all(item.sure for item in letters)
    spelled = sum(item.named for item in letters)
    score = 0.5 if explicit or spelled > 2 else 0.2
    if not (split_key(key + "1") or any(plain_code in key for plain_code in (key[:1],) if split_key(key + "A1"))):
        score -= 0.15
    yield _Guess(key, score, frozenset(run), part=True)


def _foreign(items: Sequence[Segment]) -> Iterator[_Guess]:
    """`AB-123-CD`, `12-ABC-3`: letters and digits in an order that no German plate has."""
    run: list[int] = []
    for i, item in enumerate([*items, Segment(SegmentKind.WORD, "")]):
        if item.kind in (SegmentKind.LETTERS, SegmentKind.DIGITS) and item.options:
            run.append(i)
        elif item.kind is not SegmentKind.FILLER or not item.glued:
            if 2 <= len(run) <= 12:
                yield from _foreign_run(items, run)
            run = []


def _foreign_run(items: Sequence[Segment], run: Sequence[int]) -> Iterator[_Guess]:
    kinds = [items[i].kind for i in run]
    turns = sum(one is not other for one, other in pairwise(kinds))
    key = "".join(items[i].options[0] for i in run)
    if turns == 0 or not 4 <= len(key) <= 10 or (turns == 1 and kinds[0] is SegmentKind.LETTERS) or split_key(key):
        return
    written = all(items[i].tight for i in run[1:])
    certain = all(items[i].sure for i in run)
    yield _Guess(key, 0.25 if not certain else 0.9 if written else 0.45, frozenset(run))


def _ranked(guesses: Sequence[_Guess]) -> tuple[SpokenPlate, ...]:
    best: dict[tuple[str, bool], _Guess] = {}
    for guess in guesses:
        held = best.get((guess.key, guess.part))
        if held is None or guess.score > held.score:
            best[guess.key, guess.part] = guess
    ranked = sorted(best.values(), key=lambda guess: (-guess.score, guess.key))[:MAX_PLATES]
    if len(ranked) == 1 and ranked[0].safe:
        return (SpokenPlate(ranked[0].key, 1.0),)
    return tuple(SpokenPlate(guess.key, round(guess.score, 2), guess.part) for guess in ranked)


# Words


def _words(items: Sequence[Segment], guesses: Sequence[_Guess], text: str) -> tuple[str, ...]:
    top = max(guesses, key=lambda guess: guess.score, default=None)
    used = top.used if top is not None and (top.score > _NO_READING or top.part) else frozenset()
    plated = frozenset[int]().union(
        *(guess.used for guess in guesses if not guess.part and guess.score >= _SPLIT_ELSEWHERE)
    )
    whole = frozenset[int]().union(*(guess.used for guess in guesses if not guess.part))
    few = sum(items[i].named for i in used) <= 2
    alone = top is not None and top.part and len(used) == 1
    words: list[str] = []
    for i, item in enumerate(items):
        digits = items[i + 1] if i + 1 < len(items) and i + 1 not in used else None
        model = digits.said if digits is not None and digits.glued and digits.kind is SegmentKind.DIGITS else ""
        if _may_be_model(items, i, whole):
            kept = True
        elif i in used:
            kept = (alone and item.kind is SegmentKind.LETTERS and item.sure and not item.voiced) or (
                item.kind is SegmentKind.LETTERS
                and not item.sure
                and (few if item.named else _may_be_name(items, i, used))
            )
        elif item.kind is SegmentKind.LETTERS:
            kept = not item.explained and (len(item.said) > 1 or bool(model)) and not (item.sure and i in plated)
        else:
            kept = item.kind is SegmentKind.WORD
        follows = i > 0 and i - 1 not in used and items[i - 1].kind is item.kind is SegmentKind.WORD
        if kept and follows and item.tight and text[item.at - 1] == "-":
            words[-1] += f"-{item.said}{model}"
        elif kept:
            words.append(item.said + model)
    return tuple(words)


def _may_be_model(items: Sequence[Segment], i: int, whole: frozenset[int]) -> bool:
    """Whether digits, `911`, may be the model behind a make, or a model alone as well as a part of a plate."""
    item = items[i]
    if item.kind is not SegmentKind.DIGITS or item.glued or not re.fullmatch("[1-9][0-9]{2}", item.said):
        return False
    made = i > 0 and items[i - 1].kind is SegmentKind.WORD and fold(items[i - 1].said) in VEHICLE_WORDS
    return made or i not in whole


def _may_be_name(items: Sequence[Segment], i: int, used: frozenset[int]) -> bool:
    """Whether what was read as letters, `Jan` or `Beck`, is as likely a name."""
    alone = sum(items[at].kind is not SegmentKind.DIGITS for at in used) == 1
    apart = i + 1 < len(items) and not items[i + 1].glued
    return items[i].said.istitle() or (alone and apart)


# Phone numbers


def _phones(items: Sequence[Segment], text: str) -> tuple[tuple[str, ...], list[Segment]]:
    """The phone numbers, and the items without them."""
    phones: list[str] = []
    left: list[Segment] = []
    labelled = False
    for item in items:
        word = fold(item.said)
        if item.kind is SegmentKind.DIGITS:
            before = left[-1] if left else None
            plus = text[: item.at].rstrip().endswith("+") or (before is not None and fold(before.said) == "plus")
            found, rest = _phone(
                item, plus=plus, labelled=labelled, plated=before is not None and before.kind is SegmentKind.LETTERS
            )
            phones += [number for number in found if number not in phones]
            left += rest
            if found and not rest and plus and before is not None and fold(before.said) == "plus":
                left.pop()
            labelled = False
            continue
        labelled = word in _PHONE_WORDS or (labelled and item.kind is SegmentKind.FILLER)
        left.append(item if word not in _PHONE_WORDS else Segment(SegmentKind.FILLER, item.said, at=item.at))
    return tuple(phones), left


def _phone(item: Segment, *, plus: bool, labelled: bool, plated: bool) -> tuple[list[str], list[Segment]]:
    whole = "".join(item.pieces)
    if plated and not labelled and not (whole.startswith("0") and len(whole) >= _PHONE_FROM):
        for end in range(1, len(item.pieces)):
            head, tail = "".join(item.pieces[:end]), "".join(item.pieces[end:])
            if len(head) <= 4 and tail.startswith("0") and 9 <= _length(tail) <= _PHONE_TO and _fits_better(item, end):
                return [tail], [
                    Segment(
                        SegmentKind.DIGITS, head, (head,), item.pieces[:end], sure=True, glued=item.glued, at=item.at
                    )
                ]
        return [], [item]
    if labelled or plus or _PHONE_FROM <= _length(whole) <= _PHONE_TO:
        if not 3 <= _length(whole) <= _PHONE_TO:
            return [], [item]
        if plus:
            return ["+" + re.sub(r"^490+", "49", whole)], []
        return [digits for digits in item.options if _length(digits) <= _PHONE_TO][:3], []
    return [], [item]


def _length(digits: str) -> int:
    return len(digits.removeprefix("00"))


def _fits_better(item: Segment, end: int) -> bool:
    """Whether the plate ends at this part: at a longer one behind it, or four digits in."""
    return len(item.pieces[end]) > 1 or len("".join(item.pieces[:end])) == 4
