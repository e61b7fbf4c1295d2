"""Parse a transcript of a caller's words: plates and parts of them, phone numbers, e-mail addresses, other words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache

from planso_connector.domain.folding import strip_invisible
from planso_connector.domain.recognition import dictated_email
from planso_connector.domain.recognition.plate import SpokenPlate
from planso_connector.domain.recognition.said_in_context import as_kind, mark_words
from planso_connector.domain.recognition.spelling import MAX_CHARACTERS, Segment, SegmentKind, split_segments
from planso_connector.domain.recognition.spoken_plates import (
    UNALIGNED_SCORE,
    UNSPLIT_SCORE,
    PlateCandidate,
    find_plates,
    rank_plates,
)
from planso_connector.domain.recognition.spoken_words import (
    ORDER_LABELS,
    PHONE_LABELS,
    PLATE_LABELS,
    VEHICLE_LABELS,
    VEHICLE_WORDS,
)

_MIN_PHONE_DIGITS, _MIN_LABELLED_DIGITS = 7, 3
_MAX_PHONE_DIGITS = 15
"""By E.164, without `00` in front."""
_LOOSE_LENGTHS = range(4, _MIN_PHONE_DIGITS)
_MAX_WORDS_BEFORE_NUMBER = 3
"""`die Telefonnummer meiner Frau`."""
_MAX_ORDER_DIGITS = 18
_AND = frozenset(["und", "and"])


@dataclass(frozen=True, slots=True)
class Transcript:
    plates: tuple[SpokenPlate, ...] = ()
    """Best first."""
    phones: tuple[str, ...] = ()
    """Digits as said, with `+` in front where it was said."""
    emails: tuple[str, ...] = ()
    """Lower case; several where it is unclear where the address begins."""
    words: tuple[str, ...] = ()
    """The rest, in the order said; spelling words that may be names are here as well."""
    order_numbers: tuple[str, ...] = ()
    loose_digits: tuple[str, ...] = ()
    """Digits without a word for what they are: in `plates` as parts, but they may end a phone number too."""


@lru_cache(maxsize=512)
def parse_transcript(text: str) -> Transcript:
    """What the first `MAX_CHARACTERS` of `text` say."""
    emails, text = dictated_email.extract_emails(strip_invisible(text[:MAX_CHARACTERS]))
    segments = mark_words(split_segments(text))
    order_numbers, segments = _extract_order_numbers(segments)
    phones, loose_digits, segments = _extract_phones(segments, text)
    candidates = find_plates(segments)
    words = _other_words(segments, candidates, text)
    return Transcript(rank_plates(candidates), phones, emails, words, order_numbers, loose_digits)


# Words


def _other_words(segments: Sequence[Segment], plates: Sequence[PlateCandidate], text: str) -> tuple[str, ...]:
    """The words that the likeliest plate doesn't use, or that may mean something else as well."""
    best = max(plates, key=lambda plate: plate.score, default=None)
    used = best.segments if best is not None and (best.score > UNSPLIT_SCORE or best.is_part) else frozenset[int]()
    is_lone_part = best is not None and best.is_part and len(used) == 1
    whole = [plate for plate in plates if not plate.is_part]
    in_whole_plate = frozenset[int]().union(*(plate.segments for plate in whole))
    in_likely_plate = frozenset[int]().union(*(plate.segments for plate in whole if plate.score >= UNALIGNED_SCORE))

    words: list[str] = []
    for i, segment in enumerate(segments):
        model = _model_digits(segments, i) if i + 1 not in used else ""
        if _may_be_model_number(segments, i, in_whole_plate):
            is_kept = True
        elif i in used:
            is_kept = _may_be_word(segments, i, used, is_lone_part=is_lone_part)
        elif segment.kind is SegmentKind.LETTERS:
            is_certain = segment.has_example or (segment.is_unambiguous and i in in_likely_plate)
            is_kept = not is_certain and (len(segment.text) > 1 or bool(model))
        else:
            is_kept = segment.kind is SegmentKind.WORD
        if not is_kept:
            continue
        follows_word = i > 0 and i - 1 not in used and segments[i - 1].kind is segment.kind is SegmentKind.WORD
        if follows_word and segment.is_tight and text[segment.start - 1] == "-":
            words[-1] += f"-{segment.text}{model}"
        else:
            words.append(segment.text + model)
    return tuple(words)


def _model_digits(segments: Sequence[Segment], i: int) -> str:
    """The digits of `A4`, from its letters on."""
    following = segments[i + 1] if i + 1 < len(segments) else None
    is_model = following is not None and following.is_glued and following.kind is SegmentKind.DIGITS
    return following.text if following is not None and is_model else ""


def _may_be_model_number(segments: Sequence[Segment], i: int, in_whole_plate: frozenset[int]) -> bool:
    """Whether digits, such as `911`, may be a vehicle's model, after its make or alone."""
    segment = segments[i]
    if segment.kind is not SegmentKind.DIGITS or segment.is_glued or not re.fullmatch("[1-9][0-9]{2}", segment.text):
        return False
    before = segments[i - 1] if i else None
    is_after_make = before is not None and before.kind is SegmentKind.WORD and before.word in VEHICLE_WORDS
    return is_after_make or i not in in_whole_plate


def _may_be_word(segments: Sequence[Segment], i: int, used: frozenset[int], *, is_lone_part: bool) -> bool:
    """Whether a segment that the likeliest plate uses may be a word instead: `Jan`, `Beck`, `Otto`."""
    segment = segments[i]
    if segment.kind is not SegmentKind.LETTERS:
        return False
    if segment.is_unambiguous:
        return is_lone_part and not segment.is_letter_name
    if segment.is_spelling_word:
        return sum(segments[at].is_spelling_word for at in used) <= 2
    is_only_word = sum(segments[at].kind is not SegmentKind.DIGITS for at in used) == 1
    has_gap_behind = i + 1 < len(segments) and not segments[i + 1].is_glued
    return segment.text.istitle() or (is_only_word and has_gap_behind)


# Phone numbers


class _Label(Enum):
    """What a number is, by a word beside it."""

    PHONE = auto()
    PLATE = auto()
    ORDER = auto()


def _extract_order_numbers(segments: Sequence[Segment]) -> tuple[tuple[str, ...], list[Segment]]:
    """The numbers of orders, and the segments without them and their labels."""
    numbers = [i for i, label in _label_numbers(segments).items() if label is _Label.ORDER]
    if not numbers:
        return (), list(segments)
    left = [
        as_kind(segment, SegmentKind.FILLER) if segment.word in ORDER_LABELS or i in numbers else segment
        for i, segment in enumerate(segments)
    ]
    found = (digits for i in numbers for digits in segments[i].options[:2] if len(digits) <= _MAX_ORDER_DIGITS)
    return tuple(dict.fromkeys(found)), left


def _extract_phones(segments: Sequence[Segment], text: str) -> tuple[tuple[str, ...], tuple[str, ...], list[Segment]]:
    """The phone numbers, loose digits that may end one, and the segments without the phone numbers."""
    labels = _label_numbers(segments)
    phones: dict[str, None] = {}
    loose: dict[str, None] = {}
    left: list[Segment] = []
    for i, segment in enumerate(segments):
        if segment.kind is not SegmentKind.DIGITS:
            left.append(as_kind(segment, SegmentKind.FILLER) if segment.word in PHONE_LABELS else segment)
            continue
        before = left[-1] if left else None
        is_plus_said = before is not None and before.word == "plus"
        is_after_letters = before is not None and before.kind is SegmentKind.LETTERS
        found, rest = _read_phone(
            segment,
            has_plus=is_plus_said or text[: segment.start].rstrip().endswith("+"),
            is_labelled=labels.get(i) is _Label.PHONE,
            is_after_letters=is_after_letters,
        )
        phones.update(dict.fromkeys(found))
        if not found and i not in labels and not is_after_letters and segment.options:
            loose.update(dict.fromkeys(digits for digits in segment.options if len(digits) in _LOOSE_LENGTHS))
        if found and not rest and is_plus_said:
            left.pop()
        left += rest
    return tuple(phones), () if phones else tuple(loose), left


def _label_numbers(segments: Sequence[Segment]) -> dict[int, _Label]:
    """What each number is, by the word before it, else by the one behind it: `4411 vom Handy, 2309 vom Kennzeichen`."""
    labels: dict[int, _Label] = {}
    pending: _Label | None = None
    words = at = 0
    while at < len(segments):
        segment = segments[at]
        label = _label_of(segment)
        if label is not None:
            pending, words = label, 0
        elif segment.kind is SegmentKind.DIGITS:
            is_after_letters = at > 0 and segments[at - 1].kind is SegmentKind.LETTERS  # a plate
            if pending is None and not is_after_letters:
                pending, at_label = _label_behind(segments, at)
                labels |= {at: pending} if pending else {}
                at = at_label
            elif pending is not None:
                labels[at] = pending
            pending = None
        elif segment.kind is not SegmentKind.FILLER:
            words += 1
            if segment.kind is not SegmentKind.WORD or words > _MAX_WORDS_BEFORE_NUMBER or segment.is_after_comma:
                pending = None
        at += 1
    return labels


def _label_of(segment: Segment) -> _Label | None:
    if segment.word in PHONE_LABELS:
        return _Label.PHONE
    if segment.word in ORDER_LABELS:
        return _Label.ORDER
    return _Label.PLATE if segment.word in PLATE_LABELS or segment.word in VEHICLE_LABELS else None


def _label_behind(segments: Sequence[Segment], i: int) -> tuple[_Label | None, int]:
    """The label behind the number at `i` in the same clause, and where it is; None and `i` without one."""
    for at in range(i + 1, len(segments)):
        segment = segments[at]
        label = _label_of(segment)
        if segment.is_after_comma or segment.kind not in (SegmentKind.FILLER, SegmentKind.WORD) or segment.word in _AND:
            break
        if label is not None:
            return label, at
    return None, i


def _read_phone(
    segment: Segment, *, has_plus: bool, is_labelled: bool, is_after_letters: bool
) -> tuple[Sequence[str], Sequence[Segment]]:
    """The phone numbers that digits may be, and the digits that are left, as segments."""
    whole = "".join(segment.pieces)
    if is_after_letters and not is_labelled and not (whole.startswith("0") and len(whole) >= _MIN_PHONE_DIGITS):
        return _split_plate_and_phone(segment)
    length = _length(whole)
    if is_labelled or has_plus:
        is_phone = len(whole) >= _MIN_LABELLED_DIGITS and length <= _MAX_PHONE_DIGITS
    else:
        is_phone = _MIN_PHONE_DIGITS <= length <= _MAX_PHONE_DIGITS
    if not is_phone:
        return (), [segment]
    if has_plus:
        return ["+" + re.sub(r"^490+", "49", whole)], ()
    return [digits for digits in segment.options if _length(digits) <= _MAX_PHONE_DIGITS][:3], ()


def _split_plate_and_phone(segment: Segment) -> tuple[Sequence[str], Sequence[Segment]]:
    """`WN AE 2309 0171 2345678`: the phone number, and a plate's digits before it."""
    pieces = segment.pieces
    for end in range(1, len(pieces)):
        head, tail = "".join(pieces[:end]), "".join(pieces[end:])
        is_phone = tail.startswith("0") and 9 <= _length(tail) <= _MAX_PHONE_DIGITS
        # A plate's digits end before a longer piece, or after four.
        if is_phone and (len(head) == 4 or (len(head) < 4 and len(pieces[end]) > 1)):
            return [tail], [replace(segment, text=head, options=(head,), pieces=pieces[:end], is_tight=False)]
    return (), [segment]


def _length(digits: str) -> int:
    return len(digits.removeprefix("00"))
