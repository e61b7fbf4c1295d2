"""The words of days and times, folded, by the token that each becomes; German and English."""

from planso_connector.domain.folding import fold
from planso_connector.domain.language import MONTHS, WEEKDAYS


def _by_word(text: str) -> dict[str, str]:
    """Parse `token: word word | token: word`."""
    found: dict[str, str] = {}
    for entry in text.split("|"):
        token, _, words = entry.partition(":")
        found |= dict.fromkeys(words.split(), token.strip())
    return found


WEEKDAY_TOKENS = {
    fold(name): f"W{number}" for names in WEEKDAYS.values() for number, name in enumerate(names)
} | _by_word("W5: sonnabend | W1: tues | W2: mittwochs")
MONTH_TOKENS = {
    fold(name): f"M{number}" for names in MONTHS.values() for number, name in enumerate(names, 1)
} | _by_word(
    "M1: jaenner jan | M2: feber feb | M6: juno | M7: julei | M8: aug | M9: sept "
    "| M10: okt oct | M11: nov | M12: dez dec"
)
SHORT_WEEKDAYS = {"mo": "W0", "di": "W1", "mi": "W2", "do": "W3", "fr": "W4", "sa": "W5", "so": "W6"}
"""Taken for weekdays only before a date: `so` and `do` are other words as well."""

PARTS = _by_word(
    """
    Pmorning: morgens vormittag vormittags frueh fruehmorgens morning mornings
    | Pnoon: mittag mittags mittagszeit midday | Pafternoon: nachmittag nachmittags afternoon afternoons
    | Pevening: abend abends evening | Pnight: nacht nachts night
    """
)
TOKENS = (
    WEEKDAY_TOKENS
    | MONTH_TOKENS
    | PARTS
    | _by_word(
        """
        today: heute today | tomorrow: tomorrow | overmorrow: uebermorgen overmorrow
        | overovermorrow: ueberuebermorgen | yesterday: gestern vorgestern yesterday
        | next: naechsten naechste naechster naechstes naechstem next naexten
        | coming: kommenden kommende kommender kommendem coming upcoming
        | this: diesen diese dieser dieses diesem this
        | afternext: afternext uebernaechsten uebernaechste uebernaechster uebernaechstem
        | last: letzten letzte letzter letztem vergangenen vorigen last
        | week: woche wochen week weeks | day: tag tage tagen day days | month: monat monate monaten monats month months
        | weekend: wochenende wochenend weekend | kw: kw kalenderwoche
        | begin: anfang beginn begin beginning start early | mid: mitte mid middle | end: ende end late
        | in: in im | on: am an on den der dem des the of | at: um gegen at around about ca circa zirka
        | uhr: uhr oclock | minute: minute minuten minutes min
        | halb: halb | half: half | halfpast: halfpast | quarter: viertel quarter | dreiviertel: dreiviertel
        | after: nach after | past: past | before: vor before | to: to | until: bis until till
        | from: ab von from since | between: zwischen between | ago: ago | fromnow: fromnow
        | not: nicht kein keinen keinesfalls ausser statt anstatt except not
        | or: oder or beziehungsweise | and: und and
        | no: nein nee quatsch korrektur falsch sorry entschuldigung verzeihung sondern vielmehr no nope imean
        | bound: fruehestens spaetestens fruehstens earliest latest jeden jede jedes jeder every each
        | not_day: feiertag advent quartal haelfte woche_of_month | christmas: weihnachtsfeiertag weihnachtstag
        | noon: noon | am_: ampm_am | pm_: ampm_pm
        """
    )
)
FIXED_DAYS = _by_word(
    "D-12-24: heiligabend | D-12-31: silvester | D-01-01: neujahr neujahrstag | D-12-06: nikolaus nikolaustag"
)
ARTICLES_OF_NUMBER = frozenset(["ein", "eine", "einer", "einem", "einen", "eins", "one", "a"])
"""`in einer Woche`: the number 1, before a unit of time."""
UNITS = frozenset(["week", "day", "month", "uhr"])

GERMAN_WORDS = frozenset(
    [
        "um",
        "uhr",
        "der",
        "den",
        "dem",
        "und",
        "tag",
        "woche",
        "im",
        "ich",
        "mit",
        "bei",
        "geht",
        *map(fold, WEEKDAYS["de"]),
    ]
)
"""Words by which a text is German: `am` is not a.m. then."""

PHRASES = (
    ("guten morgen", " "),
    ("guten tag", " "),
    ("guten abend", " "),
    ("schoenen tag", " "),
    ("good morning", " "),
    ("good afternoon", " "),
    ("good evening", " "),
    ("day after tomorrow", "overmorrow"),
    ("heute in acht tagen", "heute in einer woche"),
    ("morgen in acht tagen", "morgen in einer woche"),
    ("nach mittag", "nachmittag"),
    ("vor mittag", "vormittag"),
    ("half past", "halfpast"),
    ("from now", "fromnow"),
    ("from today", "fromnow"),
    ("o'clock", "oclock"),
    ("o clock", "oclock"),
    ("i mean", "imean"),
    ("kalender woche", "kalenderwoche"),
    ("drei viertel", "dreiviertel"),
    ("drei-viertel", "dreiviertel"),
    ("week after next", "afternext woche"),
    ("tonight", "today evening"),
    ("this morning", "today morning"),
    ("a fortnight", "two weeks"),
    ("fortnight", "two weeks"),
    ("any day but", "not"),
    ("anything but", "not"),
    ("instead of", "not"),
    ("this afternoon", "today afternoon"),
    ("this evening", "today evening"),
)
"""Several words that are replaced by one, or by others, before words are read."""

IRREGULAR_ORDINAL_STEMS = {"er": 1, "drit": 3, "sieb": 7, "ach": 8}
_ENGLISH_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
ENGLISH_ORDINALS = {word: number for number, word in enumerate(_ENGLISH_ORDINALS.split(), 1)} | {"thirtieth": 30}
