"""
The orders that the corpus asks about, always the same. People, plates, numbers and addresses are invented: names from
tables of common ones, the rest by rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.order import PLATE, VEHICLE, Order
from tests.lookup_corpus.written_orders import WRITTEN_ORDERS


def _words(text: str) -> list[str]:
    return text.split()


MADE = 2950
ARCHIVED = 150
"""Of the generated ones: nobody asks about them, and no response may have them."""

_HERE = _words(
    """
    WN WN WN WN S S S ES LB LB GP BB TÜ AA SHA HN KA B BN M BL LEO VAI BK
    """
)
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"

FIRST = _words(
    """
    Jana Anna Lena Laura Sarah Katharina Julia Maria Petra Sabine Monika Ursula Claudia Birgit Elke Heike Susanne
    Nicole Stefanie Melanie Sandra Nadine Tanja Anja Kerstin Silke Martina Andrea Karin Ingrid Gisela Renate
    Hannelore Ayşe Fatma Olga Svetlana Michael Thomas Andreas Peter Wolfgang Klaus Jürgen Günter Stefan Stephan
    Christian Martin Markus Matthias Frank Ralf Uwe Bernd Jörg Dieter Rainer Holger Sven Jens Lars Tobias Daniel
    Alexander Florian Sebastian Philipp Lukas Felix Jonas Maximilian Murat Mehmet Ivan Dragan Luca Giuseppe Otto
    Emil Anton Friedrich Ludwig Richard Viktor
    """
)
SOUND_ALIKE = [
    group.split()
    for group in (
        "Meyer Meier Maier Mayer",
        "Schmidt Schmitt Schmid",
        "Hoffmann Hofmann",
        "Schulz Schultz",
        "Herrmann Hermann",
        "Bayer Baier Beyer",
        "Walter Walther",
        "Krämer Kremer",
        "Kaiser Kayser",
        "Weiß Weiss Weis",
        "Seifert Seiffert",
        "Pfeiffer Pfeifer Feifer",
        "Beck Bek",
        "Vogt Voigt",
        "Jansen Janssen",
        "Köhler Koehler",
        "Fritsch Fritzsch",
        "Stefan Stephan",
        "Petersen Pedersen",
    )
]
_OTHERS = _words(
    """
    Müller Schneider Fischer Weber Wagner Becker Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz
    Zimmermann Braun Krüger Hartmann Lange Krause Lehmann Köhler Huber Lang Winkler Berger Lorenz Ludwig Frank
    Friedrich Otto Heinrich Yılmaz Demir Kaya Öztürk Nowak Kowalski Popović Rossi Horvat Petrow Nguyen Häußermann
    Rößler Bäuerle Häberle Pfisterer Schwäble Kühnle Eberle Wörner Mößner Knödler Rühle Stäbler Lutz Zeh Abt Noll
    Götz
    """
)
_FRONT = _words(
    """
    Berg Linden Stein Birken Eichen Buchen Wiesen Brunnen Ober Unter Neu Alt Hasel Erlen Rosen Falken
    """
)
_BACK = _words(
    """
    mann bauer hauser bacher meister hofer felder thaler wieser berger
    """
)
SURNAMES = [*_OTHERS, *_OTHERS, *(front + back for front in _FRONT for back in _BACK)]
_TRADES = _words(
    """
    Elektro Sanitär Malerbetrieb Gartenbau Spedition Bäckerei Metzgerei Autohaus Zimmerei Dachdeckerei
    """
)
_FORMS = ["GmbH", "GmbH & Co. KG", "e.K.", "AG", "UG (haftungsbeschränkt)", "OHG", "GbR"]

VEHICLES = {
    "VW": "Golf Polo Passat Tiguan Touran Caddy T6 ID.3 Up",
    "Audi": "A3 A4 A6 Q3 Q5 TT",
    "BMW": "320d X1 X3 118i 520d",
    "Mercedes-Benz": "A-Klasse C-Klasse E-Klasse Sprinter Vito GLA",
    "Opel": "Astra Corsa Insignia Mokka",
    "Ford": "Focus Fiesta Transit Kuga Mondeo",
    "Skoda": "Octavia Fabia Superb Kodiaq",
    "Seat": "Leon Ibiza Ateca",
    "Renault": "Clio Megane Twingo Zoe",
    "Fiat": "500 Panda Ducato",
    "Toyota": "Yaris Corolla Aygo",
    "Porsche": "Macan Cayenne 911",
    "Tesla": "Model 3,Model Y",
    "Dacia": "Duster Sandero",
}
_MODELS = [
    f"{make} {model}"
    for make, models in VEHICLES.items()
    for model in (models.split(",") if "," in models else models.split())
]
_COLORS = [*_words("schwarz weiß silber grau blau rot grün gelb braun Polarweiß Indiumgrau"), "Deep Black Perleffekt"]
_AREAS = _words(
    """
    7151 711 7191 7141 7031 7071 30 89 6205 7361
    """
)
_MOBILE = _words(
    """
    151 152 157 160 170 171 172 173 175 176 179
    """
)
_DOMAINS = ["gmx.de", "web.de", "gmail.com", "t-online.de", "outlook.de", "example.org", "freenet.de"]


@dataclass(frozen=True)
class CorpusOrder:
    """One order and what a caller can say of it. `district`, `letters`, `digits`, `suffix`: parts of a German plate."""

    id: int
    plate: str = ""
    district: str = ""
    letters: str = ""
    digits: str = ""
    suffix: str = ""
    first: str = ""
    surname: str = ""
    company: str = ""
    """Its name without its legal form."""
    person: str = ""
    national: str = ""
    """The phone number's digits without prefixes."""
    area: str = ""
    phone: str = ""
    email: str = ""
    vehicle: str = ""
    color: str = ""
    day: str = "2026-12-08"
    archived: bool = False

    @cached_property
    def key(self) -> str:
        return fold_plate(self.plate)

    def to_order(self) -> Order:
        return Order(
            id=self.id,
            short_name=self.plate or str(self.id),
            plate=self.plate or None,
            station_id="4",
            station_state="2",
            missing_parts=False,
            values={
                PLATE: self.plate or None,
                VEHICLE: self.vehicle or None,
                "vehicle.color_name": self.color or None,
                "person": self.person or None,
                "phone": self.phone or None,
                "email": self.email or None,
                "shop_date": self.day,
            },
            fields={},
            archived=self.archived,
        )


def _by_hand() -> list[CorpusOrder]:
    found = []
    for line in filter(None, WRITTEN_ORDERS.splitlines()):
        order_id, plate, person, phone, email, vehicle, color, *day = (cell.strip() for cell in line.split("|"))
        order = CorpusOrder(int(order_id), plate, person=person, phone=phone, email=email, vehicle=vehicle, color=color)
        order = replace(order, day=day[0]) if day else order
        found.append(order)
    return found


def _pick_plate(dice: random.Random, order: CorpusOrder) -> CorpusOrder:
    district = dice.choice(_HERE)
    letters = "".join(dice.choice(_LETTERS) for _ in range(dice.choice([1, 2, 2, 2])))
    room = 8 - len(district) - len(letters)
    digits = str(dice.randint(1, 9)) + "".join(str(dice.randint(0, 9)) for _ in range(dice.choice([1, 2, 3, 3, 3])))
    suffix = dice.choice(["E", "E", "H"]) if dice.random() < 0.08 else ""
    digits = digits[: min(room, 4) - len(suffix)]
    plate = dice.choice([f"{district}-{letters} {digits}{suffix}"] * 6 + [f"{district} {letters} {digits}{suffix}"])
    plate = dice.choice([plate] * 10 + [plate.replace(" ", ""), fold_plate(plate).lower()])
    return replace(order, plate=plate, district=district, letters=letters, digits=digits, suffix=suffix)


def _foreign(dice: random.Random) -> str:
    letters = "".join(dice.choice(_LETTERS) for _ in range(4))
    number = dice.randint(100, 999)
    return dice.choice([f"{letters[:2]}-{number}-{letters[2:]}", f"{number % 90 + 10}-{letters[:3]}-{number % 9 + 1}"])


def _pick_person(dice: random.Random, order: CorpusOrder) -> CorpusOrder:
    surname = dice.choice(dice.choice(SOUND_ALIKE)) if dice.random() < 0.12 else dice.choice(SURNAMES)
    if dice.random() < 0.12:
        company = f"{dice.choice(_TRADES)} {surname}"
        return replace(order, company=company, surname=surname, person=f"{company} {dice.choice(_FORMS)}")
    if dice.random() < 0.05:
        surname = f"{surname}-{dice.choice(_OTHERS)}"
    first = dice.choice(FIRST)
    person = dice.choice([f"{first} {surname}"] * 5 + [f"{surname}, {first}", f"{surname} {first}"])
    person = dice.choice([person] * 14 + [f"Dr. {person}", f"Frau {person}"])
    return replace(order, first=first, surname=surname, person=person)


_WRITINGS: list[Callable[[str, str], str]] = [
    lambda area, rest: f"0{area} {rest}",
    lambda area, rest: f"0{area}/{rest}",
    lambda area, rest: f"0{area}-{rest}",
    lambda area, rest: f"0{area}{rest}",
    lambda area, rest: f"+49 {area} {rest}",
    lambda area, rest: f"+49{area}{rest}",
    lambda area, rest: f"+49 (0){area} {rest}",
    lambda area, rest: f"0049 {area} {rest}",
    lambda area, rest: f"(0{area}) {' '.join(rest[at : at + 2] for at in range(0, len(rest), 2))}",
]


def phone_in_every_writing(area: str, national: str) -> list[str]:
    return [write(area, national.removeprefix(area)) for write in _WRITINGS]


def _pick_phone(dice: random.Random, order: CorpusOrder) -> CorpusOrder:
    if dice.random() < 0.1:
        return order
    mobile = dice.random() < 0.6
    area = dice.choice(_MOBILE if mobile else _AREAS)
    rest = "".join(str(dice.randint(0, 9)) for _ in range(7 if mobile else dice.choice([5, 6, 7])))
    rest = str(dice.randint(1, 9)) + rest
    return replace(order, area=area, national=area + rest, phone=dice.choice(phone_in_every_writing(area, area + rest)))


def _pick_email(dice: random.Random, order: CorpusOrder) -> CorpusOrder:
    if dice.random() < 0.4:
        return order
    plain = fold(order.surname).replace("-", "").replace("'", "")
    plain = "".join(sign for sign in plain if sign.isascii() and sign.isalnum())
    if order.company:
        return replace(order, email=f"info@{fold(order.company.split()[0])}-{plain}.example")
    first = "".join(sign for sign in fold(order.first) if sign.isascii() and sign.isalnum())
    local = dice.choice(
        [
            f"{first}.{plain}",
            f"{first}_{plain}",
            f"{first}-{plain}",
            f"{first[0]}.{plain}",
            f"{plain}{order.id % 97 + 2}",
        ]
    )
    return replace(order, email=f"{local}@{dice.choice(_DOMAINS)}")


def _made(dice: random.Random, order_id: int, before: list[CorpusOrder]) -> CorpusOrder:
    order = CorpusOrder(
        order_id,
        vehicle=dice.choice(_MODELS) if dice.random() < 0.95 else "",
        color=dice.choice(_COLORS) if dice.random() < 0.8 else "",
        day=f"2026-12-{dice.randint(1, 28):02}",
        archived=order_id % (MADE // ARCHIVED) == 0,
    )
    again = dice.random()
    if again < 0.03 and before:  # the same vehicle, months later
        return replace(dice.choice(before), id=order_id, day=order.day, archived=order.archived)
    if 0.03 <= again < 0.07 and before:  # a second vehicle of the same people
        owner = dice.choice(before)
        order = replace(
            owner, id=order_id, vehicle=order.vehicle, color=order.color, day=order.day, archived=order.archived
        )
    else:
        order = _pick_email(dice, _pick_phone(dice, _pick_person(dice, order)))
    kind = dice.random()
    if kind < 0.03:
        return replace(order, plate="", district="", letters="", digits="", suffix="")
    if kind < 0.07:
        return replace(order, plate=_foreign(dice), district="", letters="", digits="", suffix="")
    return _pick_plate(dice, order)


@lru_cache(maxsize=1)
def orders() -> tuple[CorpusOrder, ...]:
    """Those written by hand, then the generated ones."""
    dice = random.Random(5)
    made: list[CorpusOrder] = []
    for order_id in range(1001, 1001 + MADE):
        made.append(_made(dice, order_id, made))
    return (*_by_hand(), *made)
