"""Invent a body shop's orders, reproducibly from a seed and a date."""

import random
from datetime import date, timedelta

from planso_connector.sandbox import invented_people
from planso_connector.sandbox.form_fields import FIELDS, MAKES, PARTS_STATES, PICKUP_SERVICES, STATUS_STATIONS
from planso_connector.sandbox.forms import OrderForm
from planso_connector.sandbox.invented_parts import PartInventor, format_german
from planso_connector.sandbox.orders import SandboxOrder

README_ORDER = 123
_COLORS = (("LC9X", "Deep Black Perleffekt"), ("LY7W", "Lichtsilber"), ("B4B4", "Candyweiß"), ("3R", "Rot „Tornado“"))
_DAMAGE = (
    "Streifschaden Seite links,\r\nTür und Kotflügel verkratzt",
    "Hagel: Dach & Haube > 40 Dellen",
    "Auffahrunfall, Stoßfänger hinten gebrochen",
    'Parkrempler, Felge VR angeschlagen ("wie neu" gewünscht)',
    "Wildunfall (Reh) – Front komplett",
    "Türkante ausbessern",
)
_REMARKS = (
    "",
    "",
    "Kunde ruft vor Abholung an.",
    "Schlüssel im Tresor 7\r\nErsatzschlüssel fehlt",
    "Lack <Sonderfarbe> & Beilackierung klären; Preis < 500 € zusagen",
    'Bitte "sauber" übergeben – Kindersitz ausgebaut\r\n\r\nRückfrage bei Fr. Özgür',
    "  eingerückt, mit Leerzeichen am Ende  ",
    "50 % Anzahlung erhalten + Rest bar; siehe https://example.org/?a=1&b=2#c",
)


def invent_orders(
    form: OrderForm, *, orders: int, seed: int, today: date, fill_readme_order: bool = True
) -> dict[int, SandboxOrder]:
    """The orders by id, 123 always among them, with values as this installation stores them."""
    dice = random.Random(seed)
    inventor = PartInventor(dice, today)
    shop = {}
    for position, order_id in enumerate(_ids(dice, orders)):
        texts = _texts(dice, order_id, today)
        order = _order(dice, form, order_id, position, texts)
        amount = 0 if texts["E-Teile Status"] == PARTS_STATES[0] else dice.choice((0, 1, 2, 3, 4, 5, 7))
        order.parts = [inventor.next_part(at) for at in range(amount)]
        shop[order_id] = order
    _add_oddities(form, shop)
    if fill_readme_order and README_ORDER in shop:
        _fill_readme_order(form, shop[README_ORDER], inventor, today)
    for order in shop.values():
        form.invent_extra_fields(order)
    return shop


def _ids(dice: random.Random, orders: int) -> list[int]:
    ids, last = [], 100
    for _ in range(orders):
        last += dice.choice((1, 1, 1, 2, 3))
        ids.append(last)
    if ids and README_ORDER not in ids:
        nearest = min(range(len(ids)), key=lambda at: abs(ids[at] - README_ORDER))
        ids[nearest] = README_ORDER
    return ids


def _order(dice: random.Random, form: OrderForm, order_id: int, position: int, texts: dict[str, str]) -> SandboxOrder:
    station = STATUS_STATIONS.get(texts["Projekt-Status"], 0)
    done = texts["Projekt-Status"] in ("abholbereit", "ausgeliefert")
    order = SandboxOrder(
        id=order_id,
        row_id=str(600_000 + order_id * 7),
        token=f"{dice.getrandbits(96):024x}",
        values={},
        station=f"{station}@{'finished' if done else 'active'}" if station else "",
        employee=dice.choice(("", "161", "162", "163", "166")),
        position=position,
        finish_style=dice.choice(("class", "class", "date", "both", "empty")),
        finish_class=dice.choice(("KL 1", "KL 2", "KL 2-3", "KL 4")),
        parts_badge=dice.choice(("button", "button", "button", "select", "none")),
    )
    write_texts(form, order, texts)
    return order


def write_texts(form: OrderForm, order: SandboxOrder, texts: dict[str, str]) -> None:
    """Set fields to texts; dates become ISO with `iso_dates`."""
    for usual_label, text in texts.items():
        order.values[usual_label] = form.invented_to_wire(usual_label, text)


def _texts(dice: random.Random, order_id: int, today: date) -> dict[str, str]:
    """The text of every field."""
    texts = dict.fromkeys(FIELDS, "")
    texts |= _customer_texts(dice)
    texts |= _vehicle_texts(dice, today)
    texts |= _job_texts(dice, order_id)
    texts |= _date_texts(dice, today)
    texts |= _money_texts(dice)
    return texts


def _customer_texts(dice: random.Random) -> dict[str, str]:
    person = invented_people.invent_person(dice)
    return {
        "Fahrername": person.name,
        "Telefon": person.phone,
        "Kunden E-Mail": person.email,
        "Firma": person.company,
        "Kundenkategorie": "Firmenkunde" if person.company else dice.choice(("Privatkunde", "Leasing / Flotte", "")),
        "Adresshinweise": dice.choice(("", "", "Hinterhof, 2. Einfahrt\r\nKlingel »Werkstatt«")),
    }


def _vehicle_texts(dice: random.Random, today: date) -> dict[str, str]:
    make, models = dice.choice(list(MAKES.values()))
    model = dice.choice(models)[1]
    number, color = dice.choice(_COLORS)
    first = today - timedelta(days=dice.randint(200, 5000))
    return {
        "Kennzeichen": invented_people.invent_plate(dice),
        "Fahrzeug": f"{make} {model}",
        "Hersteller": make,
        "Modell": model,
        "VIN": invented_people.invent_vin(dice),
        "KBA": f"{dice.randint(600, 9999):04d}/{dice.choice('ABC')}{dice.choice('XYZ')}{dice.choice('KLM')}",
        "Kilometerstand": f"{dice.randint(800, 240_000):,}".replace(",", "."),
        "Klasse": dice.choice(("Kleinwagen", "Kompakt", "Mittelklasse", "Transporter", "")),
        "Fahrzeugklasse": dice.choice(("PKW", "PKW", "LKW bis 3,5 t", "")),
        "Leasing/Flotte": dice.choice(("", "", "ja", "Fuhrpark Nord")),
        "Farbe Nummer": number,
        "Farbton": color,
        "Erstzulassung": f"{first:%d.%m.%Y}",
        "Letzte Zulassung": f"{first + timedelta(days=dice.randint(0, 150)):%d.%m.%Y}",
        "HU/AU": f"{dice.randint(1, 12):02d}/{today.year + dice.randint(0, 2)}",
        "Motor": dice.choice(("Benzin", "Diesel", "Elektro", "Hybrid")),
        "Hubraum": dice.choice(("999", "1.498", "1.968", "")),
        "Leistung": f"{dice.choice((51, 81, 110, 140))} kW",
        "Motorcode": dice.choice(("DFGA", "CHYB", "")),
        "Leergewicht": f"1.{dice.randint(50, 900):03d}",
        "Gesamtgewicht": f"{dice.choice((1, 2))}.{dice.randint(100, 990)}",
        "Alle Fahrzeugdaten": dice.choice(("", "1")),
        "Fahrbereit": dice.choice(("", "1", "1")),
    }


def _job_texts(dice: random.Random, order_id: int) -> dict[str, str]:
    service = dice.choice(("", *PICKUP_SERVICES))
    fetched = service.startswith("wir")
    return {
        "Auftragsnummer": f"A-{2026_0000 + order_id}",
        "Kategorie": dice.choice(("", "KL 1", "KL 1-2", "KL 2", "KL 2-3", "KL 2-3", "KL 3", "KL 4")),
        "Projekt-Status": dice.choice((*STATUS_STATIONS, *list(STATUS_STATIONS)[:7], *(["in Arbeit"] * 3), "")),
        "Serviceberater": dice.choice(("KV", "TB", "MH", "SÖ", "")),
        "Hol-/Bringservice": service,
        "Abholort": "Bahnhofsvorplatz 1, Fantasiehausen" if fetched else "",
        "Entfernung": f"{dice.randint(1, 60)} km" if fetched else "",
        "Terminart": "0",
        "Bemerkungen": dice.choice(_REMARKS),
        "Schadenbeschreibung": dice.choice(_DAMAGE),
        "Werkstattverteilung": dice.choice(("", "Halle 1", "Halle 2 / Bühne 4", "Außenplatz")),
        "Gewerke": dice.choice(("", "Karosserie", "Karosserie, Lack", "Karosserie, Lack, Mechanik")),
        "Notiz intern": dice.choice(("", "", "Achtung: Hund im Auto!\r\n* Halsband liegt vorn")),
        "E-Teile benötigt": dice.choice(("ja", "nein", "")),
        "E-Teile Status": dice.choice((*PARTS_STATES, "")),
    }


def _date_texts(dice: random.Random, today: date) -> dict[str, str]:
    start = today + timedelta(days=dice.randint(-20, 40))

    def day(after: int, filled: float = 0.8) -> str:
        return f"{start + timedelta(days=after):%d.%m.%Y}" if dice.random() < filled else ""

    made = start - timedelta(days=dice.randint(2, 30))
    clock = f"{dice.randint(7, 17):02d}:{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}"
    return {
        "Termin angelegt": f"{made:%d.%m.%Y} {clock}",
        "Besichtigung": day(-4, 0.4),
        "Werkstattstart": day(0, 0.95),
        "Fahrzeugeingang (Soll)": day(0),
        "Fahrzeugeingang (Ist)": day(0, 0.4),
        "Reparatur von": dice.choice(("", "07:30", "08:00")),
        "Reparatur bis": dice.choice(("", "12:00", "16:30")),
        "Lackiertermin": day(3, 0.5),
        "Teile Liefertermin": day(-1, 0.6),
        "Werkstatt zurück": day(5, 0.3),
        "Termin Fertigstellung": day(6),
        "Plan Auslieferung": day(7, 0.6),
        "Rückgabe": f"{start + timedelta(days=7):%d.%m.%Y} 16:00:00" if dice.random() < 0.3 else "",
        "Sollstunden Karo": format_german(dice.randint(0, 120) / 4) if dice.random() < 0.9 else "",
        "Sollstunden Lack": format_german(dice.randint(0, 60) / 4) if dice.random() < 0.8 else "",
        "Sollstunden Mech": format_german(dice.randint(0, 20) / 4) if dice.random() < 0.4 else "",
    }


def _money_texts(dice: random.Random) -> dict[str, str]:
    rents = dice.random() < 0.2
    return {
        "Kostenträger": dice.choice(("", "Haftpflicht", "Vollkasko", "Selbstzahler")),
        "Versicherung": dice.choice(("", "Nordlicht Versicherung a. G.", "Müritz & Elbe Assekuranz")),
        "Schadennummer": f"SN {dice.randint(100_000, 999_999)}/26",
        "Selbstbeteiligung": dice.choice(("", "150,00", "300,00", "1.000,00")),
        "Gutachter": dice.choice(("", "Büro Messner & Maß")),
        "Externe Kalkulation": dice.choice(("", "DAT 4711-0815")),
        "ExpressLink": dice.choice(("", f"https://express.example.org/k?id={dice.randint(1, 999)}&lang=de")),
        "Abtretung unterschrieben": dice.choice(("", "1")),
        "Datenschutz bestätigt": dice.choice(("", "1")),
        "Mietwagen Typ": "Kombi" if rents else "",
        "Mietwagen Getriebe": "Automatik" if rents else "",
        "Mietwagen Selbstbeteiligung": "500,00" if rents else "",
    }


_ODDITIES: tuple[dict[str, str], ...] = (
    {"Bemerkungen": "Langer Verlauf: " + "Kunde angerufen, nicht erreicht; Mailbox besprochen. " * 180},
    {"Werkstattstart": "31.12.2025 12:08:59"},
    {"Werkstattstart": "2026-12-03"},
    {"Sollstunden Karo": "1.234,50"},
    {"Fahrername": "Łucja Weißenborn-Érard"},
    {"Fahrername": "", "Firma": "Küstenlogistik Nord AG", "Telefon": "", "Kunden E-Mail": ""},
    {"Kennzeichen": "BN-O 1234", "Fahrername": "Dörte Knaack"},
    {"Kennzeichen": "B-NO 1234", "Fahrername": "Marek Brömmel"},
    {"Kennzeichen": "", "Fahrzeug": "Anhänger ohne Schild"},
    {"Kategorie": "", "Projekt-Status": ""},
    {"Bemerkungen": "\r\n\r\nbeginnt mit Leerzeilen &amp; einem &lt;Rest&gt; von früher"},
    {"Fahrername": 'Jürgen "Jogi" O\'Überall <Chef>', "Telefon": "+49 (0)171 39200 07 / abends 030-23125 111"},
    dict.fromkeys((label for label in FIELDS if label != "Kennzeichen"), ""),
)


def _add_oddities(form: OrderForm, shop: dict[int, SandboxOrder]) -> None:
    """Give some orders unusual values, and two orders the same plate."""
    plain = [order for order in shop.values() if order.id != README_ORDER]
    step = max(1, len(plain) // (len(_ODDITIES) + 2))
    spread = plain[::step]
    for order, oddity in zip(spread, _ODDITIES, strict=False):
        write_texts(form, order, oddity)
    if len(spread) > len(_ODDITIES) + 1:
        first, second = spread[len(_ODDITIES) : len(_ODDITIES) + 2]
        first.values["Kennzeichen"] = list(second.values["Kennzeichen"])


def _fill_readme_order(form: OrderForm, order: SandboxOrder, inventor: PartInventor, today: date) -> None:
    """Order 123, which the README's example changes."""
    start = today + timedelta(days=7)
    texts = {
        "Fahrername": "Jana Petersen",
        "Telefon": "0171 39200 23",
        "Kunden E-Mail": "jana.petersen@example.de",
        "Firma": "",
        "Kundenkategorie": "Privatkunde",
        "Kennzeichen": "WN-AE 2309",
        "Fahrzeug": "VW Golf",
        "Hersteller": "VW",
        "Modell": "Golf",
        "Kategorie": "KL 2-3",
        "Projekt-Status": "in Arbeit",
        "Serviceberater": "KV",
        "Hol-/Bringservice": "kommt",
        "Werkstattstart": f"{start:%d.%m.%Y}",
        "Fahrzeugeingang (Soll)": f"{start:%d.%m.%Y}",
        "Termin Fertigstellung": f"{start + timedelta(days=6):%d.%m.%Y}",
        "Sollstunden Karo": "11,30",
        "Sollstunden Lack": "6,50",
        "E-Teile Status": "E-Teile teilweise da",
        "Bemerkungen": "Kundin ruft vor Abholung an.",
        "Schadenbeschreibung": _DAMAGE[0],
    }
    write_texts(form, order, texts)
    order.station, order.employee, order.parts_badge = "3@active", "166", "button"
    order.parts = [inventor.next_part(at) for at in range(4)]
    for part, arrived in zip(order.parts, (True, True, False, False), strict=True):
        part.to_order, part.ordered, part.delivered, part.backorder = False, True, arrived, False
        part.status, part.date_style = ("geliefert" if arrived else "bestellt"), "titles"
        part.status_code = "3" if arrived else "2"
        part.ordered_on = f"{today - timedelta(days=6):%d.%m.%Y}"
        part.delivered_on = f"{today - timedelta(days=1):%d.%m.%Y}" if arrived else ""
        part.expected_on = "" if arrived else f"{today + timedelta(days=4):%d.%m.%Y}"
        part.supplier_order = part.supplier_order or f"B-{20_000 + part.row_id % 1000}"
