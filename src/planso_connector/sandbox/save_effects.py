"""Apply the knobs that change what a save stores."""

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


def apply_save_effects(form: OrderForm, order: SandboxOrder, accepted: AcceptedSave) -> WireValues:
    """The values that PlanSo stores for a save of an order."""
    after = {usual_label: list(wire) for usual_label, wire in accepted.values.items()}
    changed = [
        usual_label for usual_label in accepted.arrived if form.stored_values(order, usual_label) != after[usual_label]
    ]
    _derive(form, changed, after)
    _shift(form, after)
    for usual_label in sorted(accepted.arrived):
        if form.control_kind(form.field(usual_label)) in ("text", "long") and after[usual_label]:
            after[usual_label] = [_rewrite(form, usual_label, after[usual_label][0], is_changed=usual_label in changed)]
        elif (
            usual_label in changed
            and form.knobs.select_jumps
            and form.control_kind(form.field(usual_label)) == "select"
        ):
            after[usual_label] = [next(o.value for o in form.field(usual_label).options if o.value not in ("", "0"))]
    for label in form.knobs.lose_on_save:
        after[form.usual_label(label)] = form.to_wire(form.usual_label(label), "")
    for label, alteration in form.knobs.alter_saved.items():
        usual_label = form.usual_label(label)
        if usual_label in changed:
            after[usual_label] = form.to_wire(
                usual_label, _alter(alteration, form.to_text(usual_label, after[usual_label]))
            )
    return after


def _alter(alteration: Alteration, text: str) -> str:
    if isinstance(alteration, str):
        return alteration
    return text[:alteration] if isinstance(alteration, int) else alteration(text)


def _derive(form: OrderForm, changed: Collection[str], after: WireValues) -> None:
    """Update the fields that follow others."""
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
    """From the knob's label on, give each text input the value of the one before it."""
    first = form.knobs.shift_values
    if first is None:
        return
    texts = [control.usual_label for control in form.controls(None) if control.usual_label and control.kind == "text"]
    moved = texts[texts.index(form.usual_label(first)) :] if form.usual_label(first) in texts else []
    values = [[""], *(after.get(usual_label, [""]) for usual_label in moved)]
    after |= dict(zip(moved, values, strict=False))


def _rewrite(form: OrderForm, usual_label: str, text: str, *, is_changed: bool) -> str:
    """The stored text for a submitted one."""
    for rewrite in _select_rewrites(form, usual_label):
        text = rewrite(text)
    text = _garble(text, form.knobs.garble_encoding)
    if is_changed:
        emoji = _FIRST_OF_FOUR_BYTES.search(text)
        if form.knobs.cut_at_emoji and emoji is not None:
            text = text[: emoji.start()]
        if form.knobs.cap_number is not None and _is_number(usual_label, text):
            text = _cap(text, form.knobs.cap_number)
        if form.knobs.cut_text is not None:
            text = text[: form.knobs.cut_text]
    return text


def _garble(text: str, how: str) -> str:
    if how == "mojibake":
        return text.encode("utf-8").decode("iso-8859-1")
    return "".join(letter if letter.isascii() else "?" for letter in text) if how == "question" else text


def _select_rewrites(form: OrderForm, usual_label: str) -> list[Rewrite]:
    """The normalisations of the knob `normalise` that apply to a field."""
    field = form.field(usual_label)
    label = field.caption or usual_label
    is_date = field.kind in ("date", "datetime")
    is_decimal = label in _MONEY or label.startswith("Sollstunden")
    rewrites: dict[str, tuple[bool, Rewrite]] = {
        "blanks": (True, lambda text: re.sub(r" {2,}", " ", text).strip(" ")),
        "plate": (label == "Kennzeichen", lambda text: re.sub(r"\s+", " ", text).strip().upper()),
        "phone": (label == "Telefon", _normalise_phone),
        "email": ("E-Mail" in label, str.lower),
        "decimals": (is_decimal, lambda text: text.replace(".", ",") if re.fullmatch(r"\d+\.\d{1,2}", text) else text),
        "round": (is_decimal, _round),
        "date_only": (field.kind == "date", lambda text: text.partition(" ")[0] if parse_day(text) else text),
        "date_time": (is_date, lambda text: f"{text} 00:00:00" if _DAY_ALONE.fullmatch(text) else text),
    }
    return [rewrite for name, (applies, rewrite) in rewrites.items() if name in form.knobs.normalise and applies]


def _normalise_phone(text: str) -> str:
    """`0171/39200 23` becomes `+49 171 3920023`; anything but one number is unchanged."""
    if not re.fullmatch(r"[\d\s/()+.-]+", text):
        return text
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    national = (
        digits.removeprefix("0049") if digits.startswith("00") else digits.removeprefix("49" if "+" in text else "")
    )
    national = national.removeprefix("0")
    return f"+49 {national[:3]} {national[3:]}" if len(national) > 6 else text


def _is_number(usual_label: str, text: str) -> bool:
    is_numeric = (
        usual_label in _MONEY or usual_label.startswith("Sollstunden") or usual_label in ("Kilometerstand", "Hubraum")
    )
    return is_numeric and _NUMBER.fullmatch(text) is not None


def _parse_decimal(text: str) -> Decimal:
    if re.fullmatch(r"-?\d+\.\d+", text) and not re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+", text):
        return Decimal(text)
    return Decimal(text.replace(".", "").replace(",", "."))


def _cap(text: str, most: float) -> str:
    return f"{most:g}".replace(".", ",") if _parse_decimal(text) > Decimal(str(most)) else text


def _round(text: str) -> str:
    """Round to two decimals, as a decimal column does."""
    if not _NUMBER.fullmatch(text):
        return text
    rounded = _parse_decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return (
        f"{rounded:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
        if "." in text and "," in text
        else (f"{rounded:.2f}".replace(".", ","))
    )
