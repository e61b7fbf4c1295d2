"""
What callers ask about the orders of `mirror`, with the right answers. Most are made by rules; what fits an order is
told by the rule itself, never by the code that is asked.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from planso_connector.domain.folding import fold
from tests.lookup_corpus.mirror import SOUND_ALIKE, Known, orders, phone_in_every_writing
from tests.lookup_corpus.plates import RULES, as_said, in_pairs, one_by_one

OF_EACH_RULE = 12
FITTING_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Question:
    asked: tuple[tuple[str, str], ...]
    """`q`, `plate`, `name`, `phone`, `email`."""
    right: tuple[int, ...]
    """The orders that truly fit; the first one is meant."""
    by: str
    """The rule that made it, or `hand`."""

    @property
    def to_develop_on(self) -> bool:
        """Which half it belongs to, for good: the other half is only to report."""
        return hashlib.sha256(repr(self.asked).encode()).digest()[0] % 2 == 0


BY_HAND = Path(__file__).parent / "questions_by_hand.txt"
"""One question a line, `question | orders that fit`; `name=...` in front sends the text as that parameter."""


def _by_hand() -> Iterator[Question]:
    for line in BY_HAND.read_text("utf-8").splitlines():
        said, ids = (cell.strip() for cell in line.split("|"))
        pieces = re.split(r"(?:^|\s)(name|plate|phone|email)=", said)
        asked = [("q", pieces[0])] if pieces[0] else []
        asked += zip(pieces[1::2], pieces[2::2], strict=True)
        yield Question(tuple(asked), tuple(map(int, ids.split())), "hand")


class _Mirror:
    """What there is, for the rules: `current` is asked about."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.current = [known for known in orders() if not known.archived]
        self.made = [known for known in self.current if known.id > 1000]

    def fitting(self, meant: Known, fits: Callable[[Known], bool]) -> tuple[int, ...]:
        """`meant` first; empty where more fit than an answer holds."""
        others = [known.id for known in self.current if known.id != meant.id and fits(known)]
        return (meant.id, *others) if len(others) < FITTING_AT_MOST else ()


_Made = tuple[Mapping[str, str], Callable[[Known], bool]] | None
"""What is asked and what fits it; None where nothing of the kind is to be said of an order."""
_Rule = Callable[[Known, random.Random], _Made]


def _q(said: str, fits: Callable[[Known], bool]) -> _Made:
    return {"q": said}, fits


_BEFORE = ("", "", "", "ja ", "Guten Tag, ", "mein Kennzeichen ist ", "es geht um ", "ähm ", "Kennzeichen lautet ")
_AFTER = ("", "", "", " bitte", ", ist der schon fertig?", ", wann kann ich ihn holen?", " danke")


def _around(said: str, dice: random.Random) -> str:
    return f"{dice.choice(_BEFORE)}{said}{dice.choice(_AFTER)}"


def _same_plate(known: Known) -> Callable[[Known], bool]:
    return lambda other: other.key == known.key


def _written_plate(known: Known, dice: random.Random) -> _Made:
    if not known.district:
        return None
    parts = known.district, known.letters, known.digits + known.suffix
    gaps = dice.choice([("-", " "), (" ", " "), ("", ""), ("-", "-"), (" ", ""), ("", " "), (" - ", " ")])
    said = f"{parts[0]}{gaps[0]}{parts[1]}{gaps[1]}{parts[2]}"
    said = dice.choice([said, said.lower(), said.replace("Ü", "UE")])
    return dice.choice([_q(_around(said, dice), _same_plate(known)), ({"plate": said}, _same_plate(known))])


def _spelled_plate(known: Known, dice: random.Random) -> _Made:
    if not known.district or known.suffix:
        return None
    said = as_said((known.district, known.letters, known.digits), dice.choice(RULES), dice)
    # With `dreißig vierzig` another number may be said: what it truly can mean stands in the plates' own corpus.
    return _q(_around(said, dice), _same_plate(known))


def _suffixed_plate(known: Known, dice: random.Random) -> _Made:
    if not known.suffix:
        return None
    word = {"E": "E wie Emil", "H": "H wie Heinrich"}[known.suffix]
    end = dice.choice([known.suffix, f" {known.suffix}", f" {word}", ""])
    said = f"{known.district} {known.letters} {known.digits}{end}"
    if not end:
        return _q(said, lambda other: other.key.startswith(known.key[:-1]) and other.key[:-1] in known.key)
    return _q(_around(said, dice), _same_plate(known))


def _foreign_plate(known: Known, dice: random.Random) -> _Made:
    if known.district or not known.plate:
        return None
    said = dice.choice([known.plate, known.plate.replace("-", " "), known.plate.lower(), known.plate.replace("-", "")])
    return _q(said, _same_plate(known))


_CONFUSED = ["BP", "BD", "DT", "GT", "BW", "MN", "CK", "KZ", "CZ", "SF", "FS", "VW", "AH", "AK", "HK", "JI", "ZS", "TZ"]


def _confused_plate(known: Known, dice: random.Random) -> _Made:
    """One letter, in front or in the middle, that sounds like another; said plainly."""
    if not known.district or known.suffix or "Ü" in known.district:
        return None
    letters = known.district + known.letters
    places = [(at, pair[1 - pair.index(sign)]) for at, sign in enumerate(letters) for pair in _CONFUSED if sign in pair]
    if not places:
        return None
    at, other = dice.choice(places)
    wrong = letters[:at] + other + letters[at + 1 :]
    cut = len(known.district)
    return _q(_around(f"{wrong[:cut]} {wrong[cut:]} {known.digits}", dice), _same_plate(known))


def _wrong_digit(known: Known, dice: random.Random) -> _Made:
    """One edit in the digits: another, one too many, one missing, two swapped."""
    if not known.district or known.suffix or len(known.digits) < 3:
        return None
    digits = known.digits
    at = dice.randrange(1, len(digits))
    wrong = {
        "another": digits[:at] + str(dice.randint(0, 9)) + digits[at + 1 :],
        "missing": digits[:at] + digits[at + 1 :],
        "swapped": digits[: at - 1] + digits[at] + digits[at - 1] + digits[at + 1 :],
    }[dice.choice(["another", "missing", "swapped"])]
    if wrong.startswith("0"):
        return None
    return _q(f"{known.district} {known.letters} {wrong}", _same_plate(known))


def _digits_and_name(known: Known, dice: random.Random) -> _Made:
    if not known.digits or not known.first or len(known.digits) < 3:
        return None
    digits = dice.choice([known.digits, one_by_one(known.digits, dice), in_pairs(known.digits, dice)])
    name = dice.choice(
        [known.surname, f"Herr {known.surname}", f"{known.first} {known.surname}", known.surname.lower()]
    )
    said = dice.choice([f"{digits}, {name}", f"{name}, {digits}", f"das Auto mit der {digits}, {name}"])
    return _q(said, lambda other: other.surname == known.surname and known.digits in other.key)


def _front_and_name(known: Known, dice: random.Random) -> _Made:
    if not known.letters or not known.first:
        return None
    front = f"{known.district} {known.letters}"
    said = dice.choice([f"{front}, {known.surname}", f"{known.first} {known.surname}, {front}"])
    return _q(said, lambda other: other.surname == known.surname and other.key.startswith(known.key[: len(front) - 1]))


def _person(known: Known) -> Callable[[Known], bool]:
    return lambda other: (other.first, other.surname) == (known.first, known.surname)


def _full_name(known: Known, dice: random.Random) -> _Made:
    if not known.first:
        return None
    first, surname = known.first, known.surname
    name = dice.choice(
        [f"{first} {surname}", f"{surname} {first}", f"{surname}, {first}", f"{first} {surname}".lower()]
    )
    folded = dice.choice([name, name, fold(name).title()])
    frame = dice.choice(["{}", "{}", "mein Name ist {}", "{} am Apparat", "hier ist {}"])
    asked = {"name": folded} if dice.random() < 0.4 else {"q": frame.format(folded)}
    return asked, _person(known)


def _alike(surname: str, dice: random.Random) -> str | None:
    group = next((group for group in SOUND_ALIKE if surname in group), None)
    others = [other for other in group or () if other != surname]
    return dice.choice(others) if others else None


def _sound_alike(known: Known, dice: random.Random) -> _Made:
    other = _alike(known.surname, dice)
    if not known.first or other is None:
        return None
    group = next(group for group in SOUND_ALIKE if known.surname in group)
    asked = {dice.choice(["q", "name"]): f"{known.first} {other}"}
    return asked, lambda one: one.first == known.first and one.surname in group


def _typo(word: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word))
    return {
        "missing": word[:at] + word[at + 1 :],
        "another": word[:at] + dice.choice("aeilnrst") + word[at + 1 :],
        "doubled": word[:at] + word[at] + word[at:],
        "swapped": word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
    }[dice.choice(["missing", "another", "doubled", "swapped"])]


def _mistyped_name(known: Known, dice: random.Random) -> _Made:
    if not known.first or len(known.surname) < 6:
        return None
    asked = {dice.choice(["q", "name"]): f"{known.first} {_typo(known.surname, dice)}"}
    return asked, _person(known)


def _company(known: Known, dice: random.Random) -> _Made:
    if not known.company:
        return None
    trade, surname = known.company.split(" ", 1)
    said = dice.choice([known.company, f"{surname} {trade}", f"Firma {known.company}", known.company.lower()])
    return {dice.choice(["q", "name"]): said}, lambda other: other.company == known.company


def _same_phone(known: Known) -> Callable[[Known], bool]:
    return lambda other: other.national == known.national


def _written_phone(known: Known, dice: random.Random) -> _Made:
    if not known.national:
        return None
    said = dice.choice(phone_in_every_writing(known.area, known.national))
    return {dice.choice(["phone", "q"]): said}, _same_phone(known)


def _spoken_phone(known: Known, dice: random.Random) -> _Made:
    if not known.national:
        return None
    rest = known.national.removeprefix(known.area)
    front = dice.choice([f"0{known.area}", f"0{known.area}", f"0049{known.area}"])
    said = f"{one_by_one(front, dice)} {dice.choice([one_by_one, one_by_one, in_pairs])(rest, dice)}"
    if dice.random() < 0.3:
        said = f"plus vier neun {one_by_one(known.national, dice)}"
    frame = dice.choice(["{}", "meine Nummer ist {}", "Telefon {}", "meine Handynummer ist die {}"])
    return {dice.choice(["phone", "q", "q"]): frame.format(said)}, _same_phone(known)


def _last_digits(known: Known, dice: random.Random) -> _Made:
    if not known.national:
        return None
    end = known.national[-dice.choice([4, 5, 6]) :]
    asked = {"phone": dice.choice([end, one_by_one(end, dice)])}
    if dice.random() < 0.5:
        asked["name"] = known.surname
        return asked, lambda other: other.national.endswith(end) and other.surname == known.surname
    return asked, lambda other: other.national.endswith(end)


_DICTATED = {".": " punkt ", "@": " at ", "-": " minus ", "_": " unterstrich "}


def _dictated_email(known: Known, dice: random.Random) -> _Made:
    if not known.email:
        return None
    said = "".join(_DICTATED.get(sign, sign) for sign in known.email)
    said = said.replace(" at ", dice.choice([" at ", " ät ", " Klammeraffe "]))
    said = dice.choice([said, said, known.email, f"meine E-Mail ist {said}"])
    return {dice.choice(["q", "email"]): said}, lambda other: other.email == known.email


def _model(known: Known) -> str:
    return known.vehicle.split(" ", 1)[1]


def _car_name_digits(known: Known, dice: random.Random) -> _Made:
    """`der Golf von Frau Meyer, 2309`."""
    if not (known.digits and known.first and known.vehicle) or len(known.digits) < 3:
        return None
    frame = dice.choice(
        ["der {c} von Frau {n}, {d}", "{n}, {d}, {c}", "Hier ist {n}, mein {c} mit der {d}", "{d}, {c}, auf {n}"]
    )
    said = frame.format(c=_model(known), n=known.surname, d=dice.choice([known.digits, one_by_one(known.digits, dice)]))
    return _q(said, lambda other: other.surname == known.surname and known.digits in other.key)


def _name_and_car(known: Known, dice: random.Random) -> _Made:
    if not (known.first and known.vehicle):
        return None
    name = dice.choice([known.surname, f"{known.first} {known.surname}", f"Frau {known.surname}"])
    car = dice.choice([_model(known), known.vehicle])
    said = dice.choice([f"{name}, {car}", f"der {car} von {name}", f"{name}, es geht um meinen {car}"])
    fits = _person(known) if known.first in name else lambda other: other.surname == known.surname
    return _q(said, lambda other: fits(other) and other.vehicle == known.vehicle)


def _plate_and_name(known: Known, dice: random.Random) -> _Made:
    if not (known.district and known.first) or known.suffix:
        return None
    name = _alike(known.surname, dice) or known.surname
    plate = as_said((known.district, known.letters, known.digits), dice.choice(RULES), dice)
    said = dice.choice([f"{plate}, {name}", f"{name}, {plate}", f"Hier ist {known.first} {name}, {plate}"])
    return _q(said, _same_plate(known))


def _apart(known: Known, dice: random.Random) -> _Made:
    """Each in a parameter of its own, the plate heard wrong."""
    if not (known.district and known.first) or known.suffix or len(known.digits) < 3:
        return None
    wrong = known.digits[:-1] + str((int(known.digits[-1]) + dice.randint(1, 9)) % 10)
    asked = {"plate": f"{known.district} {known.letters} {wrong}", "name": known.surname}
    return asked, lambda other: other.key == known.key and other.surname == known.surname


_RULES: dict[str, _Rule] = {
    "plate written": _written_plate,
    "plate spelled": _spelled_plate,
    "plate with E or H": _suffixed_plate,
    "plate foreign": _foreign_plate,
    "plate confused": _confused_plate,
    "plate one digit off": _wrong_digit,
    "digits and name": _digits_and_name,
    "letters and name": _front_and_name,
    "name": _full_name,
    "name sounds alike": _sound_alike,
    "name with a typo": _mistyped_name,
    "company": _company,
    "phone written": _written_phone,
    "phone spoken": _spoken_phone,
    "last digits": _last_digits,
    "email": _dictated_email,
    "car, name, digits": _car_name_digits,
    "name and car": _name_and_car,
    "plate and name": _plate_and_name,
    "plate wrong, name right": _apart,
}


def _made(mirror: _Mirror, name: str, rule: _Rule) -> Iterable[Question]:
    found: dict[tuple[tuple[str, str], ...], Question] = {}
    while len(found) < OF_EACH_RULE:
        meant = mirror.dice.choice(mirror.made)
        made = rule(meant, mirror.dice)
        if made is None:
            continue
        asked, fits = made
        right = mirror.fitting(meant, fits)
        if right:
            key = tuple(asked.items())
            found.setdefault(key, Question(key, right, name))
    return found.values()


def questions() -> Sequence[Question]:
    """All of them, the same every time."""
    mirror = _Mirror(random.Random(2309))
    made = [question for name, rule in _RULES.items() for question in _made(mirror, name, rule)]
    return [*_by_hand(), *made]
