"""What saves of an installation do to values beyond keeping them: the knobs of that kind."""

import re
from collections.abc import Callable, Collection
from decimal import ROUND_HALF_UP, Decimal

from planso_connector.sandbox.form_fields import COPY_FIELD, MAKES, WEEK_FIELD
from planso_connector.sandbox.forms import AcceptedSave, OrderForm
from planso_connector.sandbox.invented_values import iso_week, parse_day
from planso_connector.sandbox.knobs import Alteration
from planso_connector.sandbox.orders import SandboxOrder, WireValues

Rewrite = Callable[[str], str]
_NUMBER = re.compile(r"-?\d+(?:\.\d{3})*(?:,\d+)?|-?\d+\.\d+")
_DAY_ALONE = re.compile(r"\d{2}\.\d{2}\.\d{4}|\d{4}-\d{2}-\d{2}")
_FIRST_OF_FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")
_MONEY = frozenset({"Selbstbeteiligung", "Mietwagen Selbstbeteiligung"})


def apply_save_effects(form: OrderForm, order: SandboxOrder, taken: AcceptedSave) -> WireValues:
    """The values that PlanSo keeps of what was taken from a save of an order."""
    after = {usual: list(wire) for usual, wire in taken.values.items()}
    changed = [usual for usual in taken.arrived if form.stored_values(order, usual) != after[usual]]
    _derive(form, changed, after)
    _shift(form, after)
    for usual in sorted(taken.arrived):
        if form.control_kind(form.field(usual)) in ("text", "long") and after[usual]:
            after[usual] = [_rewritten(form, usual, after[usual][0], is_changed=usual in changed)]
        elif usual in changed and form.knobs.select_jumps and form.control_kind(form.field(usual)) == "select":
            after[usual] = [next(o.value for o in form.field(usual).options if o.value not in ("", "0"))]
    for label in form.knobs.lose_on_save:
        after[form.usual_label(label)] = form.to_wire(form.usual_label(label), "")
    for label, alteration in form.knobs.alter_saved.items():
        usual = form.usual_label(label)
        if usual in changed:
            after[usual] = form.to_wire(usual, _altered(alteration, form.to_text(usual, after[usual])))
    return after


def _altered(alteration: Alteration, text: str) -> str:
    if isinstance(alteration, str):
        return alteration
    return text[:alteration] if isinstance(alteration, int) else alteration(text)


def _derive(form: OrderForm, changed: Collection[str], after: WireValues) -> None:
    """Fields that follow others."""
    derive = form.knobs.derive
    if "Hersteller" in changed and derive & {"model_emptied", "model_first"} and "Modell" in after:
        chosen = after["Hersteller"][0]
        models = (
            [str(number) for number, _ in MAKES[int(chosen)][1]] if chosen.isdigit() and int(chosen) in MAKES else []
        )
        if after["Modell"][0] not in models:
            after["Modell"] = models[:1] if models and "model_first" in derive else form.to_wire("Modell", "")
    if "week" in derive and "Werkstattstart" in changed:
        after[WEEK_FIELD.label] = [iso_week(after["Werkstattstart"][0])]
    if "copy" in derive and "Fahrername" in changed:
        after[COPY_FIELD.label] = list(after["Fahrername"])


def _shift(form: OrderForm, after: WireValues) -> None:
    """From one label on, each text input gets the value of the one before it."""
    first = form.knobs.shift_values
    if first is None:
        return
    texts = [control.usual_label for control in form.controls(None) if control.usual_label and control.kind == "text"]
    moved = texts[texts.index(form.usual_label(first)) :] if form.usual_label(first) in texts else []
    values = [[""], *(after.get(usual, [""]) for usual in moved)]
    after |= dict(zip(moved, values, strict=False))


def _rewritten(form: OrderForm, usual: str, text: str, *, is_changed: bool) -> str:
    """One text as it is kept."""
    for rewrite in _normalisations(form, usual):
        text = rewrite(text)
    text = _garbled(text, form.knobs.garble_encoding)
    if is_changed:
        emoji = _FIRST_OF_FOUR_BYTES.search(text)
        if form.knobs.cut_at_emoji and emoji is not None:
            text = text[: emoji.start()]
        if form.knobs.cap_number is not None and _is_number(usual, text):
            text = _capped(text, form.knobs.cap_number)
        if form.knobs.cut_text is not None:
            text = text[: form.knobs.cut_text]
    return text


def _garbled(text: str, how: str) -> str:
    if how == "mojibake":
        return text.encode("utf-8").decode("iso-8859-1")
    return "".join(letter if letter.isascii() else "?" for letter in text) if how == "question" else text


def _normalisations(form: OrderForm, usual: str) -> list[Rewrite]:
    """What the knob `normalise` does to a field."""
    field = form.field(usual)
    label = field.caption or usual
    is_date = field.kind in ("date", "datetime")
    is_decimal = label in _MONEY or label.startswith("Sollstunden")
    rewrites: dict[str, tuple[bool, Rewrite]] = {
        "blanks": (True, lambda text: re.sub(r" {2,}", " ", text).strip(" ")),
        "plate": (label == "Kennzeichen", lambda text: re.sub(r"\s+", " ", text).strip().upper()),
        "phone": (label == "Telefon", _phone),
        "email": ("E-Mail" in label, str.lower),
        "decimals": (is_decimal, lambda text: text.replace(".", ",") if re.fullmatch(r"\d+\.\d{1,2}", text) else text),
        "round": (is_decimal, _rounded),
        "date_only": (field.kind == "date", lambda text: text.partition(" ")[0] if parse_day(text) else text),
        "date_time": (is_date, lambda text: f"{text} 00:00:00" if _DAY_ALONE.fullmatch(text) else text),
    }
    return [rewrite for name, (applies, rewrite) in rewrites.items() if name in form.knobs.normalise and applies]


def _phone(text: str) -> str:
    """`0171/39200 23` as `+49 171 3920023`; what is no single number stays."""
    if not re.fullmatch(r"[\d\s/()+.-]+", text):
        return text
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    national = (
        digits.removeprefix("0049") if digits.startswith("00") else digits.removeprefix("49" if "+" in text else "")
    )
    national = national.removeprefix("0")
    return f"+49 {national[:3]} {national[3:]}" if len(national) > 6 else text


def _is_number(usual: str, text: str) -> bool:
    is_numeric = usual in _MONEY or usual.startswith("Sollstunden") or usual in ("Kilometerstand", "Hubraum")
    return is_numeric and _NUMBER.fullmatch(text) is not None


def _decimal(text: str) -> Decimal:
    if re.fullmatch(r"-?\d+\.\d+", text) and not re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+", text):
        return Decimal(text)
    return Decimal(text.replace(".", "").replace(",", "."))


def _capped(text: str, most: float) -> str:
    return f"{most:g}".replace(".", ",") if _decimal(text) > Decimal(str(most)) else text


def _rounded(text: str) -> str:
    """Two decimals, as a column of that type keeps them."""
    if not _NUMBER.fullmatch(text):
        return text
    rounded = _decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return (
        f"{rounded:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
        if "." in text and "," in text
        else (f"{rounded:.2f}".replace(".", ","))
    )
