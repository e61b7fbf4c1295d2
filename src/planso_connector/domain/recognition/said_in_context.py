"""Words whose meaning depends on the words next to them: names such as `Groß` and `Nordpol`, models such as `X1`."""

import re
from collections.abc import Sequence
from dataclasses import replace

from planso_connector.domain.recognition.spelling import Segment, SegmentKind
from planso_connector.domain.recognition.spoken_words import COLOR_WORDS, NAME_LABELS, VEHICLE_WORDS


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SIZE_NAMES = _word_set("gross grosse klein kleine")
"""Said of letters too: `großes B`."""
_SURNAMES = _SIZE_NAMES | _word_set(
    "gut herr bitte tag morgen abend gott gruess halt eben noch dann heute genau gerne ruf kunde ort stadt kreis "
    "strich punkt komma pause ende schluss leer fertig stopp falsch quatsch sorry"
)
"""Surnames that are fillers elsewhere."""
_IN_ANY_CASE = _SIZE_NAMES | _word_set("gut herr")
_BEHIND_FIRST_NAMES = _IN_ANY_CASE | _word_set("morgen abend tag gott ruf")
"""Those that are names behind a first name too; all but `_IN_ANY_CASE` only with a capital letter."""
_BEFORE_NAMES = NAME_LABELS | _word_set("ist is lautet doktor dr also aeh aehm eh ehm ja die der von vom")
"""What may stand between the word that announces a name and the name."""
_HONORIFICS = _word_set("herr herrn frau familie mister mr mrs")
_OF_WRITING = _word_set("geschrieben schreibt schreiben")
_HERE, _IS = "hier", frozenset(["ist", "is", "spricht"])

_MODEL_NAMES = _word_set("tt up ka rs gt gti eq id")
_MODEL_LETTERS = _word_set("cx mx xc id eq ix gt rx nx ux rz gla glb glc gle gls glk cla clk cls slk slc")
"""Before the digits of a model, and no more likely a plate's."""
_MODELS = re.compile("a[1-8]|q[2-8]|[xi][1-8]|z[134]|t[1-7]|c[1-5]|s[1-8]")
"""Each known without its make."""
_MODEL_NUMBER = re.compile("[1-9][0-9]{0,2}")
_GOLF = "golf"
"""A letter of the spelling alphabet as well."""
_MAKES = VEHICLE_WORDS - COLOR_WORDS
_NO_PLATE = (SegmentKind.WORD, SegmentKind.FILLER)


def mark_words(segments: Sequence[Segment]) -> list[Segment]:
    """The segments, with names and models as words rather than fillers or letters of a plate."""
    return _mark_models(_mark_names(segments))


def as_kind(segment: Segment, kind: SegmentKind, text: str = "") -> Segment:
    """A segment that means no letters and digits."""
    return Segment(
        kind,
        text or segment.text,
        start=segment.start,
        word=segment.word,
        is_tight=segment.is_tight,
        is_after_comma=segment.is_after_comma,
    )


# Names


def _mark_names(segments: Sequence[Segment]) -> list[Segment]:
    """`Frau Groß`, `ich heiße Nordpol`, `hier ist Klein`, `Dörte Groß`."""
    marked: list[Segment] = []
    is_announced = False
    """After `Frau` and the like, through any fillers: no letter of a plate follows there."""
    is_next = False
    """The same, or after `hier ist`, with nothing but a title between."""
    for i, segment in enumerate(segments):
        is_surname = segment.word in _SURNAMES and _is_surname(segments, i, is_next=is_next)
        is_spelled_name = is_announced and segment.is_spelling_word
        marked.append(
            as_kind(segment, SegmentKind.WORD)
            if is_surname or is_spelled_name or _is_short_name(segments, i)
            else segment
        )
        before = segments[i - 1].word if i else ""
        is_label = segment.word in NAME_LABELS and not is_surname
        is_filler = segment.kind is SegmentKind.FILLER and not is_surname
        is_announced = is_label or (is_announced and is_filler)
        is_next = (
            is_label or (before == _HERE and segment.word in _IS) or (is_next and segment.word in _BEFORE_NAMES)
        ) and not is_surname
    return marked


def _is_surname(segments: Sequence[Segment], i: int, *, is_next: bool) -> bool:
    """Whether one of `_SURNAMES` is a name. `is_next`: a name was announced."""
    segment, following = segments[i], _following(segments, i)
    is_size, is_written_as_name = segment.word in _SIZE_NAMES, segment.text.istitle()
    if following is not None and segment.word in NAME_LABELS:
        is_name_behind = following.kind in (SegmentKind.WORD, SegmentKind.LETTERS) or following.word in _SURNAMES
        if is_name_behind or following.word in _BEFORE_NAMES:
            return False
    if is_next and (is_size or not segment.is_after_comma):
        return True
    if following is not None and is_size:
        is_letter_behind = following.kind is SegmentKind.LETTERS and not following.text.istitle()
        if is_letter_behind or following.word in _OF_WRITING:
            return False
    may_follow = segment.word in (_BEHIND_FIRST_NAMES if is_written_as_name else _IN_ANY_CASE)
    return (may_follow and _is_behind_name(segments, i)) or (is_size and is_written_as_name)


def _following(segments: Sequence[Segment], i: int) -> Segment | None:
    """The next segment, where no comma is before it."""
    following = segments[i + 1] if i + 1 < len(segments) else None
    return None if following is None or following.is_after_comma else following


def _is_behind_name(segments: Sequence[Segment], i: int) -> bool:
    if not i or segments[i].is_after_comma or segments[i - 1].word in VEHICLE_WORDS | {_GOLF}:
        return False
    before = segments[i - 1]
    return before.kind is SegmentKind.WORD or (before.kind is SegmentKind.LETTERS and _is_written_as_name(before))


def _is_short_name(segments: Sequence[Segment], i: int) -> bool:
    """`Frau Alt`, `Ulf Böhm`, `Hanna Neu`: three letters, written as a name is, beside another one or after `Frau`."""
    segment = segments[i]
    is_ambiguous = not (segment.is_unambiguous or segment.is_letter_name or segment.is_spelling_word)
    if segment.kind is not SegmentKind.LETTERS or not is_ambiguous or not _is_written_as_name(segment):
        return False
    if i and segments[i - 1].word in _HONORIFICS:
        return True
    following = _following(segments, i)
    if following is not None and following.kind not in _NO_PLATE:
        return False
    is_name_behind = (
        following is not None
        and (following.kind is SegmentKind.WORD or following.word in _BEHIND_FIRST_NAMES)
        and _is_written_as_name(following)
        and following.word not in VEHICLE_WORDS
    )
    return is_name_behind or (i > 0 and _is_written_as_name(segments[i - 1]) and _is_behind_name(segments, i))


def _is_written_as_name(segment: Segment) -> bool:
    return segment.text.istitle() and len(segment.text) > 2


# Models


def _mark_models(segments: Sequence[Segment]) -> list[Segment]:
    """`BMW X1`, `Mercedes C 180`, `Golf 7`: the model is one word, and no part of a plate."""
    marked: list[Segment] = []
    at = 0
    while at < len(segments):
        used = _model_length(segments, at, marked)
        if used:
            text = "".join(
                segment.text if segment.is_glued or not n else f" {segment.text}"
                for n, segment in enumerate(segments[at : at + used])
            )
            marked.append(replace(as_kind(segments[at], SegmentKind.WORD, text), word=""))
        else:
            marked.append(segments[at])
        at += used or 1
    return marked


def _model_length(segments: Sequence[Segment], at: int, before: Sequence[Segment]) -> int:
    """How many segments from `at` on are a model; 0 for none."""
    first, following, third = [*segments[at : at + 3], None, None][:3]
    if first is None:
        return 0
    neighbour = before[-1] if before and not first.is_after_comma else None
    is_after_make = neighbour is not None and neighbour.word in _MAKES
    digits = following if following and following.kind is SegmentKind.DIGITS and not following.is_after_comma else None
    if first.kind is SegmentKind.DIGITS:
        is_town_behind = following is not None and following.is_after_comma and bool(following.districts)
        return 1 if is_after_make and is_town_behind and _MODEL_NUMBER.fullmatch(first.text) else 0
    if first.kind is not SegmentKind.LETTERS:
        return 0
    letters = first.text.casefold()
    is_after_letters = neighbour is not None and neighbour.kind is SegmentKind.LETTERS
    if digits is None:
        is_name = letters in _MODEL_NAMES or (neighbour is not None and neighbour.word == "model")
        is_end = following is None or following.is_after_comma or following.kind in _NO_PLATE
        return 1 if is_after_make and is_name and is_end else 0
    if is_after_make and re.fullmatch("[0-9]{1,3}", digits.text):
        return 2 if len(letters) == 1 or letters in _MODEL_LETTERS or letters == _GOLF else 0
    is_end = third is None or third.is_after_comma or third.kind in _NO_PLATE
    is_golf = letters == _GOLF and re.fullmatch("[1-9]", digits.text) is not None
    is_known = digits.is_glued and _MODELS.fullmatch(letters + digits.text) is not None
    return 2 if is_end and not is_after_letters and (is_golf or is_known) else 0
