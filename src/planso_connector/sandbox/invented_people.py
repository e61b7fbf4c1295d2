"""Invent people, plates and numbers. None exist: telephone numbers are of the ranges that the Bundesnetzagentur
reserves for fiction, mail goes to example.de and example.org."""

import random
from dataclasses import dataclass

_FIRST = (
    "Jana Katrin Uwe Özlem Ștefan Łukasz René Jürgen Björn Käthe Zoë Mirja Thorben Anneliese Gül Hinnerk Dörte Marek "
    "Swantje Ilias Noémi Rüdiger Friederike Ulf Yasemin Gernot Babette Søren Tomasz Wiebke"
)
_LAST = (
    "Petersen Weiß Großmann Łukasiewicz Müller-Lüdenscheidt Çelik Håkansson Schröder Böhm Kühnast Groß Ångström Novák "
    "Strauß Ebeling Yıldız Krämer Möhring Jäger Preuß Lefèvre Ostermann Wrobel Töpfer Hübscher Knaack Zöllner Kieß "
    "Rautenberg Fährmann Öztürk Meißner Quaas Dähnhardt Voß Überall Kožušník Brömmel Nußbaum Asmussen"
)
_COMPANIES = (
    "Bäckerei Krümel & Söhne GmbH",
    "Pflegedienst „Immerda“ UG",
    'Malerbetrieb "Farbklecks" OHG',
    "Elektro <Blitz> Meier e. K.",
    "Gärtnerei Grünzeug",
    "Taxi Tümmler",
    "Küstenlogistik Nord AG",
)
_DISTRICTS = "WN S BN B WN HH M K KI NF ES GP LB BB WND W WI FD F AA AAL RT TÜ LÖ FÜ"
_MAILBOX = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ł": "l", "å": "a", "ç": "c", "ø": "o"}
)


@dataclass(frozen=True)
class Person:
    """A customer; `company` is "" for most."""

    name: str
    phone: str
    email: str
    company: str = ""


def invent_person(dice: random.Random) -> Person:
    """A customer with a telephone number in one of several notations."""
    name = f"{dice.choice(_FIRST.split())} {dice.choice(_LAST.split())}"
    company = dice.choice(_COMPANIES) if dice.random() < 0.1 else ""
    return Person(name, invent_phone(dice), invent_email(dice, name), company)


def invent_phone(dice: random.Random) -> str:
    """A fictional number: Berlin, Hamburg, Köln, München, Frankfurt or mobile."""
    written = dice.choice(
        (
            "030 23125 {:03d}",
            "030/23125{:03d}",
            "+49 30 23125 {:03d}",
            "040 66969 {:03d}",
            "0221 4710 {:03d}",
            "089 99998 {:03d}",
            "069 90009 {:03d}",
            "0171 39200 {:02d}",
            "0171-39200{:02d}",
            "+49 171 39200 {:02d}",
        )
    )
    return written.format(dice.randint(0, 99) if "39200" in written else dice.randint(0, 999))


def invent_email(dice: random.Random, name: str) -> str:
    """An address from the name that can't exist; sometimes none."""
    if dice.random() < 0.12:
        return ""
    box = ".".join(name.lower().translate(_MAILBOX).split())
    plain = "".join(letter for letter in box if letter.isascii() and (letter.isalnum() or letter in ".-"))
    return f"{plain}@example.{dice.choice(('de', 'org'))}"


def invent_plate(dice: random.Random) -> str:
    """A plate such as `WN-AE 2309`."""
    letters = "".join(dice.choice("ABCDEFGHJKLMNOPRSTUVWXYZ") for _ in range(dice.choice((1, 2, 2))))
    ending = dice.choice(("", "", "", "", "", "E", "H"))
    return f"{dice.choice(_DISTRICTS.split())}-{letters} {dice.randint(1, 9999)}{ending}"


def invent_vin(dice: random.Random) -> str:
    """Seventeen characters without I, O and Q."""
    return "WXX" + "".join(dice.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(14))
