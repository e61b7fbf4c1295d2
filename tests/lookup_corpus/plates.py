"""
Plates as callers say them and as speech-to-text writes them, with the key that was meant. Invented, all of them.

Half are made by rules, from tables of their own: what they share with `domain/spelling` is the world, not the code.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition.district_codes import DISTRICT_CODES

MADE = 300


@dataclass(frozen=True, slots=True)
class Question:
    said: str
    keys: tuple[str, ...]
    """The right answers; the digits or the letters alone where no more was said."""
    by: str
    """The rule that made it, or `hand`."""

    @property
    def to_develop_on(self) -> bool:
        """Which half it belongs to, for good: the other half is only to report."""
        return hashlib.sha256(self.said.encode()).digest()[0] % 2 == 0


_BY_HAND = """
Wilhelm Nordpol, Anton Emil, zwo drei null neun, Meyer | WNAE2309
ja hallo, es geht um das Auto mit dem Kennzeichen WN AE 2309 | WNAE2309
WN-AE 2309 | WNAE2309
wn ae2309 | WNAE2309
Wn-Ae-2309 | WNAE2309
WNAE2309 | WNAE2309
wnae 2309 | WNAE2309
Kennzeichen W N A E 2 3 0 9 | WNAE2309
das ist die W N Strich A E zwei drei null neun | WNAE2309
Waiblingen, also WN, dann AE, und dann 23 09 | WNAE2309
WN AE dreiundzwanzig null neun | WNAE2309
WN AE 23 0 9 | WNAE2309
WN AE zwei tausend drei hundert neun | WNAE2309
WN AE zweitausenddreihundertneun | WNAE2309
WN AE dreiundzwanzighundertneun | WNAE2309
WN, A wie Anton, E wie Emil, 2309 | WNAE2309
W wie Wilhelm, N wie Nordpol, A wie Anton, E wie Emil, zwo drei null neun | WNAE2309
W wie Wuppertal N wie Nürnberg A wie Aachen E wie Essen 2309 | WNAE2309
Wuppertal Nürnberg, Aachen Essen, zwei drei null neun | WNAE2309
whiskey november alpha echo two three zero nine | WNAE2309
whiskey november, alpha echo, twenty-three oh nine | WNAE2309
Wilhelm Nordpol Bindestrich Anton Emil Leerzeichen zwo drei null neun | WNAE2309
äh mein Kennzeichen ist wn ähm ae und dann zwo drei null neun | WNAE2309
Ja Moment, WN, AE, zwo, drei, äh, null, neun | WNAE2309
we en a e zwei drei null neun | WNAE2309
weh enn ah eh zwo drei null neun | WNAE2309
Kennzeichen lautet B NO 1234 | BNO1234
BN-O 1234 | BNO1234
Berta, Nordpol Otto, eins zwo drei vier | BNO1234
Stuttgart S wie Siegfried, KL 451 | SKL451
S KL 451 | SKL451
s-kl 451 | SKL451
Siegfried Kaufmann Ludwig vier fünf eins | SKL451
S, Kilo Lima, vier fünf eins | SKL451
S KL vierhunderteinundfünfzig | SKL451
Es KL 4 5 1 | SKL451
Ludwigsburg LB XY 77 | LBXY77
LB X Y siebenundsiebzig | LBXY77
LB XY doppel sieben | LBXY77
LB XY zweimal die sieben | LBXY77
LB, Xanthippe Ypsilon, sieben sieben | LBXY77
LB iks Ypsilon sieben und siebzig | LBXY77
M AB 1000 | MAB1000
München, M, Anton Berta tausend | MAB1000
em a be eintausend | MAB1000
Martha Anton Berta eins null null null | MAB1000
M wie Martha, A wie Anton, B wie Berta, eins dreimal die null | MAB1000
TÜ-KE 18 | TUEKE18
tü ke 18 | TUEKE18
Theodor Übermut, Kaufmann Emil, achtzehn | TUEKE18
T Ü, Kaufmann Emil, eins acht | TUEKE18
Tübingen TÜ, K E achtzehn | TUEKE18
TUE KE 18 | TUEKE18
LÖ-B 9 | LOEB9
Ludwig Ökonom Berta neun | LOEB9
KÖT AA 55 | KOETAA55
Böblingen BB TZ 3040 | BBTZ3040
BB TZ dreißig vierzig | BBTZ3040
BB, Theodor Zacharias, dreißig vierzig | BBTZ3040
BB Theodor Zeppelin drei null vier null | BBTZ3040
BB te zett drei null vier null | BBTZ3040
ES-EL 88 H | ESEL88H
Es ist der Oldtimer, ES EL 88 H | ESEL88H
ES EL 88 H wie Heinrich | ESEL88H
ES TE 400 E | ESTE400E
ES TE vierhundert E | ESTE400E
der elektrische, ES TE 400 E wie Emil | ESTE400E
ES-TE400E | ESTE400E
HH VF 6 | HHVF6
HH vau ef sechs | HHVF6
Hamburg Hamburg, Viktor Friedrich, sechs | HHVF6
Heinrich Heinrich Viktor Friedrich sechs | HHVF6
doppel H, V F, 6 | HHVF6
DO RT 1212 | DORT1212
DO RT zwölf zwölf | DORT1212
Dora Otto Richard Theodor zwölf zwölf | DORT1212
delta oscar romeo tango one two one two | DORT1212
DO RT tausendzweihundertzwölf | DORT1212
DO RT zwölfhundertzwölf | DORT1212
GP QR 320 | GPQR320
GP Quelle Richard dreihundertzwanzig | GPQR320
GP QR drei zwanzig | GPQR320
gp kuh er drei zwo null | GPQR320
Frau Nordpol, mein Golf hat GP QR 320 | GPQR320
Hier ist Anton Meyer, es geht um GP QR 320 | GPQR320
Audi A4, GP-QR 320, Meyer | GPQR320
VW Passat grau GP QR 320 ist der fertig? | GPQR320
Guten Tag, Schneider mein Name, es geht um den BMW mit GP QR 320 | GPQR320
GP QR 319, nein Quatsch, 320 | GPQR320
das Auto mit der 2309 | 2309
hinten zwo drei null neun | 2309
die letzten Ziffern sind dreiundzwanzig null neun | 2309
fängt mit WN AE an | WNAE
Wilhelm Nordpol, Anton Emil, mehr weiß ich nicht | WNAE
THW 81234 | THW81234
Y 123 456 | Y123456
RT MM 5 04-10 | RTMM5
RT MM 5 Saison 04 bis 10 | RTMM5
RT-MM 5, 0171 2345678 | RTMM5
RT MM 5 Telefon null eins sieben eins zwei drei vier | RTMM5
RT, Martha Martha, fünf | RTMM5
R T Doppel M fünf | RTMM5
AB-123-CD | AB123CD
12-ABC-3 | 12ABC3
W-12345A | W12345A
FR EI 20 9 | FREI209 FREI29
FR EI zwanzig neun | FREI209 FREI29
FR EI neunundzwanzig | FREI29
FR EI zwei null neun | FREI209
FR EI neun und zwanzig | FREI29
Friedrich Richard Emil Ida neunundzwanzig | FREI29
Frankfurt Rostock Essen Ingelheim zwei neun | FREI29
2.309 hinten, vorne WN AE | WNAE2309
WN AE 2.309 | WNAE2309
WN AE 23:09 Uhr | WNAE2309
ka a te ha 17 | KATH17
KA TH siebzehn | KATH17
Konrad Anton Theodor Heinrich eins sieben | KATH17
KA, T wie Theo, H wie Haus, 17 | KATH17
KA Toni Heinz siebzehn | KATH17
P JW 702 | PJW702
Potsdam, Jena Wuppertal, sieben null zwei | PJW702
pe jott we siebenhundertzwei | PJW702
Paula Julius Wilhelm siebenhundertundzwei | PJW702
P JW sieben hundert zwei | PJW702
Papa Juliett Whiskey seven oh two | PJW702
"""


def _list(text: str, gap: str | None = None) -> list[str]:
    return text.split(gap)


_OLD = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ",
        _list(
            "Anton Berta Cäsar Dora Emil Friedrich Gustav Heinrich Ida Julius Kaufmann Ludwig Martha Nordpol Otto "
            "Paula Quelle Richard Samuel Theodor Ulrich Viktor Wilhelm Xanthippe Ypsilon Zacharias Ärger Ökonom Übermut"
        ),
        strict=True,
    )
)
_TOWNS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ",
        _list(
            "Aachen,Berlin,Chemnitz,Düsseldorf,Essen,Frankfurt,Goslar,Hamburg,Ingelheim,Jena,Köln,Leipzig,München,Nürnberg,"
            "Offenbach,Potsdam,Quickborn,Rostock,Salzwedel,Tübingen,Unna,Völklingen,Wuppertal,Xanten,Ypsilon,Zwickau,"
            "Umlaut Aachen,Umlaut Offenbach,Umlaut Unna",
            ",",
        ),
        strict=True,
    )
)
_NATO = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ",
        _list(
            "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec "
            "romeo sierra tango uniform victor whiskey x-ray yankee zulu Ä Ö Ü"
        ),
        strict=True,
    )
)
_NAMES = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ",
        _list("a be ce de e ef ge ha i jott ka el em en o pe ku er es te u vau we ix ypsilon zett ä ö ü"),
        strict=True,
    )
)
_DIGITS = _list("null eins zwei drei vier fünf sechs sieben acht neun")
_TEENS = _list("zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn")
_TENS = _list("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_ENGLISH = _list("zero one two three four five six seven eight nine")
_BEFORE = [
    "", "", "ja ", "äh ", "Guten Tag, ", "mein Kennzeichen ist ", "Kennzeichen lautet ", "das Auto mit ",
    "es geht um den Wagen ", "ich wollte fragen wegen ", "Hallo, hier ist Meyer, ", "der Golf, Kennzeichen ",
]  # fmt: skip
_AFTER = ["", "", "", " bitte", ", Schneider", ", ist der fertig?", ", der blaue Passat", " danke"]


def _below_100(value: int) -> str:
    if value < 10:
        return _DIGITS[value]
    if value < 20:
        return _TEENS[value - 10]
    tens, unit = divmod(value, 10)
    return _TENS[tens - 2] if unit == 0 else f"{'ein' if unit == 1 else _DIGITS[unit]}und{_TENS[tens - 2]}"


def one_by_one(digits: str, dice: random.Random) -> str:
    return " ".join("zwo" if sign == "2" and dice.random() < 0.5 else _DIGITS[int(sign)] for sign in digits)


def in_pairs(digits: str, dice: random.Random) -> str:
    """`dreiundzwanzig null neun`; a pair that begins with 0 digit by digit, an odd first digit alone."""
    head, rest = digits[: len(digits) % 2], digits[len(digits) % 2 :]
    pairs = [rest[at : at + 2] for at in range(0, len(rest), 2)]
    said = [one_by_one(pair, dice) if pair[0] == "0" else _below_100(int(pair)) for pair in pairs]
    return " ".join([*(_DIGITS[int(sign)] for sign in head), *said])


def _as_number(digits: str, dice: random.Random) -> str:
    return in_words(int(digits))


def in_words(value: int) -> str:
    """`zweitausenddreihundertneun`; 0 to 9999."""
    thousands, rest = divmod(value, 1000)
    hundreds, rest = divmod(rest, 100)
    said = f"{_unit(thousands)}tausend" if thousands else ""
    said += f"{_unit(hundreds)}hundert" if hundreds else ""
    return said + (_below_100(rest) if rest or not said else "")


def _unit(value: int) -> str:
    return "ein" if value == 1 else _DIGITS[value]


def _doubled(digits: str, dice: random.Random) -> str:
    said, at = [], 0
    while at < len(digits):
        if digits[at : at + 2] == digits[at] * 2:
            said.append(dice.choice(["doppel ", "Doppel-", "zweimal die "]) + _DIGITS[int(digits[at])])
            at += 2
        else:
            said.append(_DIGITS[int(digits[at])])
            at += 1
    return " ".join(said)


def _written(digits: str, dice: random.Random) -> str:
    return dice.choice([digits, digits, " ".join(digits), f"{digits[:2]} {digits[2:]}".strip()])


def _english(digits: str, dice: random.Random) -> str:
    return " ".join(_ENGLISH[int(sign)] for sign in digits)


_Saying = Callable[[str, random.Random], str]
_NUMBERS: list[_Saying] = [one_by_one, one_by_one, in_pairs, _as_number, _doubled, _written]


def _spelled(table: dict[str, str]) -> _Saying:
    def say(letters: str, dice: random.Random) -> str:
        gap = dice.choice([" ", " ", ", "])
        return gap.join(table[sign] for sign in letters)

    return say


def _explained(letters: str, dice: random.Random) -> str:
    table = dice.choice([_OLD, _TOWNS])
    return " ".join(sign if sign in "ÄÖÜ" else f"{sign} wie {table[sign]}" for sign in letters)


def _letters(letters: str, dice: random.Random) -> str:
    return dice.choice([letters, letters, letters.lower(), " ".join(letters)])


_RULES: dict[str, tuple[_Saying, list[_Saying]]] = {
    "old alphabet": (_spelled(_OLD), _NUMBERS),
    "towns": (_spelled(_TOWNS), _NUMBERS),
    "nato": (_spelled(_NATO), [one_by_one, _english, _written]),
    "names of letters": (_spelled(_NAMES), _NUMBERS),
    "with its wie": (_explained, _NUMBERS),
    "letters": (_letters, _NUMBERS),
    "written": (_letters, [_written]),
}
RULES = tuple(_RULES)


def as_said(plate: tuple[str, str, str], rule: str, dice: random.Random) -> str:
    """District, letters and digits by one of `RULES`."""
    district, letters, digits = plate
    say_letters, numbers = _RULES[rule]
    gap, next_gap = dice.choice([" ", ", ", " äh ", " Strich ", "-"]), dice.choice([" ", " ", ", ", " und dann "])
    number = dice.choice(numbers)(digits, dice)
    return f"{say_letters(district, dice)}{gap}{say_letters(letters, dice)}{next_gap}{number}"


def _made(dice: random.Random, rule: str) -> Question:
    district = dice.choice(sorted(DISTRICT_CODES))
    letters = "".join(dice.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(dice.choice([1, 2, 2])))
    digits = str(dice.randint(1, 9)) + "".join(str(dice.randint(0, 9)) for _ in range(dice.choice([1, 2, 3, 3])))
    said = as_said((district, letters, digits), rule, dice)
    return Question(
        f"{dice.choice(_BEFORE)}{said}{dice.choice(_AFTER)}", (fold_plate(district + letters + digits),), rule
    )


def _by_hand() -> list[Question]:
    lines = [line.split("|") for line in _BY_HAND.strip().splitlines()]
    return [Question(said.strip(), tuple(keys.split()), "hand") for said, keys in lines]


def questions() -> list[Question]:
    """All of them, the same every time."""
    dice = random.Random(2309)
    rules = list(_RULES)
    made = [_made(dice, rules[at % len(rules)]) for at in range(MADE)]
    return list({question.said: question for question in [*_by_hand(), *made]}.values())
