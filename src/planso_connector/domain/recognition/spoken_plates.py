"""Find the plates, and parts of plates, that the segments of a transcript may mean."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import accumulate, islice, pairwise, product

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition.plate import (
    SpokenPlate,
    is_diplomatic,
    is_of_authority,
    is_usual,
    restore_umlaut,
    split_key,
    strip_season,
)
from planso_connector.domain.recognition.spelling import Segment, SegmentKind
from planso_connector.domain.recognition.spoken_words import HESITATIONS, HYPHENS, PLATE_LABELS, PLATE_SUFFIXES

MAX_PLATES = 20

ALIGNED_SCORE = 0.95
"""The district code ends where the caller paused."""
UNALIGNED_SCORE = 0.75
"""The district code ends elsewhere."""
UNUSUAL_SCORE = 0.65
"""A district code and digits alone, as authorities have: more often the letters between them were left out."""
UNSPLIT_SCORE = 0.3
"""No district code."""
_MIN_SCORE = 0.01
_MAX_LETTERS = 6
_MAX_SEGMENTS = 8
_MAX_SPELLINGS = 12
_MAX_PART_DIGITS = 6
_MIN_DIGITS_OF_AUTHORITY = 4
"""Behind a single letter: fewer are a vehicle's model, as X3 and A4."""
_LOST_UMLAUT, _LOST_UMLAUT_ASIDE = 0.03, 0.3
"""How unlikely it is that an umlaut lost its dots, and that it did where the letters are a plate as they are."""
_MONTHS = re.compile(r"((0[1-9]|1[0-2]){2})")


@dataclass(frozen=True, slots=True)
class PlateCandidate:
    key: str
    score: float
    segments: frozenset[int]
    """The segments it is read from, by number."""
    is_unambiguous: bool = False
    """No segment that could mean something else was read as letters or digits."""
    is_part: bool = False
    district: str = ""
    """As in SpokenPlate."""


_END = Segment(SegmentKind.WORD, "")


def find_plates(segments: Sequence[Segment]) -> list[PlateCandidate]:
    """All plates that may have been said, in no order."""
    found: list[PlateCandidate] = []
    for i, segment in enumerate(segments):
        if segment.kind is SegmentKind.DIGITS:
            whole = list(_letters_then_digits(segments, i)) or list(_digits_then_letters(segments, i))
            found += whole
            if max((candidate.score for candidate in whole), default=0) < UNALIGNED_SCORE:
                found += _digits_alone(segments, i, penalty=0.25 if whole else 0)
    found += _foreign_plates(segments)
    if all(candidate.is_part for candidate in found):
        found += _letters_alone(segments)
    return found


def rank_plates(candidates: Sequence[PlateCandidate]) -> tuple[SpokenPlate, ...]:
    """The best `MAX_PLATES`, each once, best first; certainty 1 if there is only one and it is unambiguous."""
    best: dict[tuple[str, bool], PlateCandidate] = {}
    for candidate in candidates:
        other = best.get((candidate.key, candidate.is_part))
        if other is None or (candidate.score, bool(candidate.district)) > (other.score, bool(other.district)):
            best[candidate.key, candidate.is_part] = candidate
    ranked = sorted(best.values(), key=lambda candidate: (-candidate.score, candidate.key))[:MAX_PLATES]
    if len(ranked) == 1 and ranked[0].is_unambiguous:
        return (SpokenPlate(ranked[0].key, district=ranked[0].district),)
    return tuple(SpokenPlate(plate.key, round(plate.score, 2), plate.is_part, plate.district) for plate in ranked)


# Whole plates


def _letters_then_digits(segments: Sequence[Segment], i: int) -> Iterator[PlateCandidate]:
    """Plates whose digits are segment `i`."""
    plain, named, short = (_letters_before(segments, i, fillers) for fillers in _Fillers)
    if not plain:
        return
    is_spelled = sum(segments[at].is_letter_name for at in named) >= 2
    runs = [(plain, 0.1 if is_spelled and len(named) > len(plain) else 0.0)]
    if is_spelled and len(named) != len(plain):
        runs.append((named, 0.0))
    if len(short) != len(plain):
        runs.append((short, 0.2))
    is_corrected = any(segment.kind is SegmentKind.CORRECTION for segment in segments[i + 1 :])
    is_doubtful = is_corrected or len(short) > len(plain)
    for run, penalty in runs:
        for candidate in _combine(segments, i, run):
            score = candidate.score - penalty - (0.2 if is_corrected else 0.0)
            is_unambiguous = candidate.is_unambiguous and not is_doubtful
            yield replace(candidate, score=max(score, _MIN_SCORE), is_unambiguous=is_unambiguous)


def _digits_then_letters(segments: Sequence[Segment], i: int) -> Iterator[PlateCandidate]:
    """`hinten 2309, vorne WN AE`."""
    run: list[int] = []
    for at in range(i + 1, len(segments)):
        if segments[at].kind is SegmentKind.LETTERS and len(run) < _MAX_SEGMENTS:
            run.append(at)
        elif segments[at].kind is not SegmentKind.FILLER:
            break
    if any(segment.kind is SegmentKind.DIGITS for segment in segments[i + 1 :]):
        return
    for end in range(len(run), 0, -1):
        for candidate in _combine(segments, i, run[:end]):
            if split_key(candidate.key):
                score = candidate.score - 0.3 - 0.1 * (len(run) - end)
                yield replace(candidate, score=max(score, _MIN_SCORE), is_unambiguous=False)


class _Fillers(Enum):
    """Which filler words count as letters."""

    NONE = auto()
    LETTER_NAMES = auto()
    """`er es`."""
    SHORT = auto()
    """Those, and any of two letters: `in`."""


def _letters_before(segments: Sequence[Segment], i: int, fillers: _Fillers) -> tuple[int, ...]:
    """The segments with the letters that the digits at `i` may belong to; digits that were taken back are skipped."""
    run: list[int] = []
    letters = 0
    is_corrected = False
    for at in range(i - 1, -1, -1):
        segment = segments[at]
        if segment.kind is SegmentKind.FILLER and not _counts_as_letters(segment, fillers):
            ends_run = fillers is _Fillers.SHORT and segment.word not in HESITATIONS
            if run and (ends_run or segment.word in PLATE_LABELS):
                break
            continue
        if segment.kind is SegmentKind.CORRECTION or (segment.kind is SegmentKind.DIGITS and is_corrected):
            if run:
                break
            is_corrected = True
            continue
        if segment.kind not in (SegmentKind.LETTERS, SegmentKind.FILLER):
            break
        letters += min(map(len, segment.options))
        if letters > _MAX_LETTERS + 2 or len(run) >= _MAX_SEGMENTS:
            break
        run.append(at)
    return tuple(reversed(run))


def _counts_as_letters(filler: Segment, fillers: _Fillers) -> bool:
    if fillers is _Fillers.NONE or not filler.options:
        return False
    return filler.is_letter_name or (fillers is _Fillers.SHORT and len(filler.text) <= 2)


def _combine(segments: Sequence[Segment], i: int, run: Sequence[int]) -> Iterator[PlateCandidate]:
    """Plates of the digits at `i` and the letters of a run: all of it, then without its first segment, and so on."""
    all_unambiguous = all(segments[at].is_unambiguous for at in run)
    for start in range(len(run)):
        window = [segments[at] for at in run[start:]]
        skipped = sum(_skipping_penalty(segments[at], window) for at in run[:start])
        hyphens = _hyphen_places(segments, run[start:])
        is_aligned = False
        for (misread, signs), (unlikely, digits), (odd, suffix, suffix_segments) in product(
            _spellings(window), _digit_options(segments[i]), _suffix_options(segments, i)
        ):
            used = frozenset([*run[start:], i, *suffix_segments])
            min_digits = 2 if _is_town_for_code(window) else _MIN_DIGITS_OF_AUTHORITY
            for lost, key, said in _umlaut_options(signs, digits + suffix, min_digits):
                score = _score_split(key, said, window, segments[i]) - skipped - misread - unlikely - odd - lost
                is_unambiguous = start == 0 and score >= ALIGNED_SCORE and _is_unambiguous(window, segments[i])
                is_aligned = is_aligned or score >= ALIGNED_SCORE
                town = segments[run[start - 1]].districts if start else ()
                district = _told_district(key, said, window, hyphens, town)
                yield PlateCandidate(key, max(score, _MIN_SCORE), used, is_unambiguous, district=district)
        if is_aligned and all_unambiguous:
            return


def _skipping_penalty(segment: Segment, window: Sequence[Segment]) -> float:
    """How unlikely a plate is that leaves a segment in front of it out; none for `Waiblingen` before `WN`."""
    letters = "".join(following.options[0] for following in window)
    if any(letters.startswith(district) for district in segment.districts):
        return 0.0
    return 0.25 if segment.is_unambiguous else 0.15


def _hyphen_places(segments: Sequence[Segment], run: Sequence[int]) -> list[int]:
    """Before which segments of a run a hyphen was typed or said."""
    return [
        place
        for place, (before, at) in enumerate(pairwise(run), 1)
        if segments[at].is_after_hyphen or any(segments[between].word in HYPHENS for between in range(before + 1, at))
    ]


def _told_district(
    key: str, signs: Sequence[str], window: Sequence[Segment], hyphens: Sequence[int], town_before: Sequence[str]
) -> str:
    """The district code, where a town, in place of it or before it, or a single hyphen tells where it ends."""
    named = next((code for code in town_before if "".join(signs).startswith(code)), "")
    if named:
        told = named
    elif _is_town_for_code(window) and signs[0] in window[0].districts:
        told = signs[0]
    elif len(hyphens) == 1:
        told = "".join(signs[: hyphens[0]])
    else:
        return ""
    return told if any(fold_plate(plate.district) == told for plate in split_key(key)) else ""


def _is_town_for_code(window: Sequence[Segment]) -> bool:
    """Whether the first segment is a town and no other one is: with others it is a letter of the spelling alphabet."""
    return bool(window[0].districts) and not any(segment.districts for segment in window[1:])


def _umlaut_options(signs: Sequence[str], rest: str, min_digits: int) -> Iterator[tuple[float, str, Sequence[str]]]:
    """The keys of letters and what follows, also with a restored umlaut: how unlikely, the key, its letters."""
    letters = "".join(signs)
    key = strip_season(letters + rest)
    is_plate = bool(split_key(key))
    if 2 <= len(letters) <= _MAX_LETTERS or (letters and is_plate and len(rest) >= min_digits):
        yield 0.0, key, signs
    restored, place = restore_umlaut(key)
    if restored:
        ends = list(accumulate(map(len, signs)))
        at = next(i for i, end in enumerate(ends) if place < end)
        cut = place + 1 - (ends[at] - len(signs[at]))
        with_umlaut = [*signs[:at], f"{signs[at][:cut]}E{signs[at][cut:]}", *signs[at + 1 :]]
        yield _LOST_UMLAUT_ASIDE if is_plate else _LOST_UMLAUT, restored, with_umlaut


def _is_unambiguous(window: Sequence[Segment], digits: Segment) -> bool:
    spelling_words = sum(segment.is_spelling_word for segment in window)
    return len(digits.options) == 1 and all(
        len(segment.options) == 1 and (segment.is_unambiguous or (segment.is_spelling_word and spelling_words > 2))
        for segment in window
    )


def _spellings(window: Sequence[Segment]) -> list[tuple[float, tuple[str, ...]]]:
    """The letters of each segment, with how unlikely they are together."""
    options = [segment.options for segment in window]
    if _is_town_for_code(window):
        options[0] = tuple(dict.fromkeys((*window[0].districts, *options[0])))
    choices = product(*map(enumerate, options))
    ranked = (
        (0.1 * sum(rank for rank, _ in choice), tuple(signs for _, signs in choice))
        for choice in islice(choices, 4 * _MAX_SPELLINGS)
    )
    return sorted(ranked, key=lambda choice: choice[0])[:_MAX_SPELLINGS]


def _score_split(key: str, signs: Sequence[str], window: Sequence[Segment], digits: Segment) -> float:
    """How well the district codes that a key can begin with fit the gaps between the segments."""
    plates = split_key(key)
    first = window[0]
    if not plates:
        return UNSPLIT_SCORE
    if not is_usual(key):
        return ALIGNED_SCORE if is_of_authority(key) else UNUSUAL_SCORE
    if len(signs) == 1:
        is_whole = digits.is_glued or first.has_example or (first.is_unambiguous and len(signs[0]) > 2)
        return ALIGNED_SCORE if is_whole else UNALIGNED_SCORE - 0.1
    is_town = _is_town_for_code(window) and signs[0] in first.districts
    is_name_first = first.is_spelling_word and not any(segment.is_spelling_word for segment in window[1:])
    if is_name_first and not is_town:  # Otto, B AB 123
        return UNALIGNED_SCORE
    ends = {len(signs[0])} if is_town else set(accumulate(map(len, signs)))
    is_aligned = any(len(fold_plate(plate.district)) in ends for plate in plates)
    return ALIGNED_SCORE if is_aligned else UNALIGNED_SCORE


def _digit_options(segment: Segment) -> list[tuple[float, str]]:
    """Digits of a plate, each with how unlikely it is; of a long number also its first pieces."""
    options = [(0.12 * rank, digits) for rank, digits in enumerate(segment.options) if len(digits) <= 8]
    whole = "".join(segment.pieces)
    if len(whole) > 4:
        for end in reversed(list(accumulate(map(len, segment.pieces[:8])))):
            if end <= 4:
                is_seasonal = _MONTHS.fullmatch(whole[end:]) is not None
                options.append((0.0 if is_seasonal else 0.1 + 0.05 * (4 - end), whole[:end]))
    return options


def _suffix_options(segments: Sequence[Segment], i: int) -> list[tuple[float, str, tuple[int, ...]]]:
    """E or H behind the digits: how unlikely it is, the letter, the segments that say it."""
    none: tuple[float, str, tuple[int, ...]] = (0.0, "", ())
    for at in range(i + 1, min(i + 5, len(segments))):
        segment = segments[at]
        suffix = PLATE_SUFFIXES.get(segment.word)
        if suffix is not None:
            return [(0.0, suffix, (at,)), (0.1, "", ())]
        if segment.kind is SegmentKind.LETTERS and segment.options[0] in ("E", "H"):
            if segment.is_unambiguous or at + 1 == len(segments):
                return [(0.0, segment.options[0], (at,)), (0.1, "", ())]
            return [none, (0.15, segment.options[0], (at,))]
        if segment.kind is not SegmentKind.FILLER:
            break
    return [none]


# Parts of plates


def _digits_alone(segments: Sequence[Segment], i: int, *, penalty: float) -> Iterator[PlateCandidate]:
    for rank, digits in enumerate(segments[i].options):
        if is_diplomatic(digits):
            yield PlateCandidate(digits, 0.6 - 0.1 * rank, frozenset([i]))
        if 2 <= len(digits) <= _MAX_PART_DIGITS:
            score = (0.5 if len(digits) > 2 else 0.2) - 0.1 * rank - penalty
            yield PlateCandidate(digits, max(score, _MIN_SCORE), frozenset([i]), is_part=True)
        elif len(segments) == 1 and len(digits) == 1:
            yield PlateCandidate(digits, 0.1, frozenset([i]), is_part=True)


def _letters_alone(segments: Sequence[Segment]) -> Iterator[PlateCandidate]:
    """`WN-AE` without its digits."""
    run: list[int] = []
    for i, segment in enumerate([*segments, _END]):
        if segment.kind is SegmentKind.LETTERS:
            run.append(i)
        elif run and segment.kind is not SegmentKind.FILLER:
            yield from _letters_of_run(segments, run)
            run = []


def _letters_of_run(segments: Sequence[Segment], run: Sequence[int]) -> Iterator[PlateCandidate]:
    letters = [segments[i] for i in run]
    key = "".join(segment.options[0] for segment in letters)
    start = next((at for at, segment in enumerate(letters) if segment.is_unambiguous), 0)
    if start and all(segment.is_unambiguous for segment in letters[start:]):  # Bek, LB LF
        yield from _letters_of_run(segments, run[start:])
    if not 2 <= len(key) <= _MAX_LETTERS:
        return
    is_spelled = all(segment.is_unambiguous for segment in letters) or sum(s.is_spelling_word for s in letters) > 2
    score = 0.5 if is_spelled else 0.2
    if not (split_key(key + "1") or split_key(key + "A1")):
        score -= 0.15
    yield PlateCandidate(key, score, frozenset(run), is_part=True)


# Foreign plates


def _foreign_plates(segments: Sequence[Segment]) -> Iterator[PlateCandidate]:
    """`AB-123-CD`, `12-ABC-3`: letters and digits in an order that no German plate has."""
    run: list[int] = []
    for i, segment in enumerate([*segments, _END]):
        if segment.kind in (SegmentKind.LETTERS, SegmentKind.DIGITS) and segment.options:
            run.append(i)
        elif segment.kind is not SegmentKind.FILLER or not segment.is_glued:
            if 2 <= len(run) <= 12:
                yield from _foreign_plate(segments, run)
            run = []


def _foreign_plate(segments: Sequence[Segment], run: Sequence[int]) -> Iterator[PlateCandidate]:
    kinds = [segments[i].kind for i in run]
    changes = sum(first is not second for first, second in pairwise(kinds))
    key = "".join(segments[i].options[0] for i in run)
    is_german = (changes == 1 and kinds[0] is SegmentKind.LETTERS) or bool(split_key(key))
    if changes == 0 or is_german or not 4 <= len(key) <= 10:
        return
    is_tight = all(segments[i].is_tight for i in run[1:])
    is_unambiguous = all(segments[i].is_unambiguous for i in run)
    yield PlateCandidate(key, 0.25 if not is_unambiguous else 0.9 if is_tight else 0.45, frozenset(run))
