"""
What is said of an invalid request, in English and German: one table, by the kind of problem.

A key is the `type` of a problem where there is one sentence for it, else a name for the sentence. The field's name
comes before it. Entries of pydantic's types take pydantic's bounds.
"""

from __future__ import annotations

from typing import NamedTuple

from planso_connector.domain.language import Language


class Message(NamedTuple):
    en: str
    de: str

    def format(self, **values: object) -> Message:
        """With `{name}` filled in; a Message among the values in the same language."""

        def fill(text: str, language: Language) -> str:
            return text.format_map(
                {
                    name: value.in_language(language) if isinstance(value, Message) else value
                    for name, value in values.items()
                }
            )

        return Message(fill(self.en, "en"), fill(self.de, "de"))

    def in_language(self, language: Language) -> str:
        return self.de if language == "de" else self.en


class InvalidValue(ValueError):
    """
    A value that can't be taken, by the key of its message and what fills that in. The text is English, and made when it
    is asked for: reading PlanSo's pages raises thousands of these that nobody sees.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self._values = key, values

    @property
    def message(self) -> Message:
        return MESSAGES[self.key].format(**self._values)

    def __str__(self) -> str:
        return self.message.en


_M = Message

_NUMBERS: dict[str, Message] = {
    "int_type": _M("must be a whole number", "muss eine ganze Zahl sein"),
    "int_parsing": _M("must be a whole number", "muss eine ganze Zahl sein"),
    "int_parsing_size": _M("must be a whole number, and not so large", "muss eine ganze Zahl sein, und keine so große"),
    "int_from_float": _M("must be a whole number", "muss eine ganze Zahl sein"),
    "float_type": _M(
        "must be a number; null leaves it unchanged, PATCH null clears it",
        "muss eine Zahl sein; null lässt sie unverändert, null in PATCH leert sie",
    ),
    "float_parsing": _M("must be a number", "muss eine Zahl sein"),
    "finite_number": _M("must be a finite number", "muss eine endliche Zahl sein"),
    "greater_than": _M("must be more than {gt}", "muss größer als {gt} sein"),
    "greater_than_equal": _M("must be {ge} or more", "muss mindestens {ge} sein"),
    "less_than": _M("must be less than {lt}", "muss kleiner als {lt} sein"),
    "less_than_equal": _M("must be {le} or less", "darf höchstens {le} sein"),
    "not_a_number": _M(
        '\'{text}\' is not a number; accepted: a number such as 12.5, also as "12,5" or "1.234,5"',
        '\'{text}\' ist keine Zahl; erlaubt: eine Zahl wie 12.5, auch als "12,5" oder "1.234,5"',
    ),
    "ambiguous_number": _M(
        '\'{text}\' may mean {decimal} or {grouped}; accepted: "{comma}" or "{grouped}"',
        '\'{text}\' kann {decimal} oder {grouped} heißen; erlaubt: "{comma}" oder "{grouped}"',
    ),
    "not_whole": _M(
        "'{text}' is not a whole number; accepted: digits, such as 11",
        "'{text}' ist keine ganze Zahl; erlaubt: Ziffern wie 11",
    ),
    "number_range": _M("accepted: a number from 0 to {most}", "erlaubt: eine Zahl von 0 bis {most}"),
    "id_range": _M("accepted: an id from 1 to {most}", "erlaubt: eine Nummer von 1 bis {most}"),
}

_TEXTS: dict[str, Message] = {
    "string_type": _M("must be a text", "muss ein Text sein"),
    "string_unicode": _M("must be a text in UTF-8", "muss ein Text in UTF-8 sein"),
    "string_too_short": _M("must not be empty", "darf nicht leer sein"),
    "string_too_long": _M("must have at most {max_length} characters", "darf höchstens {max_length} Zeichen haben"),
    "string_pattern_mismatch": _M("accepted: {words}", "erlaubt: {words}"),
    "visible_ascii": _M("visible ASCII characters, without blanks", "sichtbare ASCII-Zeichen, ohne Leerzeichen"),
    "operation_id": _M(
        "an operation's id, such as op_5f0c2b9e41d7a6380c1e", "die Nummer eines Vorgangs wie op_5f0c2b9e41d7a6380c1e"
    ),
    "section_name": _M(
        "a section's name, such as stamped_timings: up to 40 letters a to z and _",
        "der Name eines Abschnitts wie stamped_timings: bis zu 40 Buchstaben a bis z und _",
    ),
    "other_pattern": _M("another form", "eine andere Form"),
    "too_long_text": _M(
        "has {length} characters; accepted: up to {most}", "hat {length} Zeichen; erlaubt: bis zu {most}"
    ),
    "too_long_with_line": _M(
        "{field} would have {length} characters with this line; accepted: up to {most}",
        "{field} hätte mit dieser Zeile {length} Zeichen; erlaubt: bis zu {most}",
    ),
    "only_blanks": _M(
        'holds nothing but blanks; send "" to clear the field', 'enthält nur Leerzeichen; "" leert das Feld'
    ),
    "empty_line": _M("is empty; accepted: a line to add, or null", "ist leer; erlaubt: eine Zeile, oder null"),
    "lone_surrogate": _M(
        "holds half a character (a lone surrogate); send whole Unicode characters",
        "enthält ein halbes Zeichen (ein einzelnes Surrogat); erlaubt: ganze Unicode-Zeichen",
    ),
    "control_character": _M(
        "holds the control character U+{code}; {accepted}", "enthält das Steuerzeichen U+{code}; {accepted}"
    ),
    "line_breaks_only": _M(
        "line breaks are the only control characters accepted", "erlaubt sind als Steuerzeichen nur Zeilenumbrüche"
    ),
    "one_line": _M("accepted: one line", "erlaubt: eine Zeile"),
}

_MOMENTS: dict[str, Message] = {
    "moment": _M("'{text}' {reason}; accepted: {accepted}", "'{text}' {reason}; erlaubt: {accepted}"),
    "date_help": _M(
        "a date such as 16.12.2025, 16.12.25 or 2025-12-16, a time may follow",
        "ein Datum wie 16.12.2025, 16.12.25 oder 2025-12-16, eine Uhrzeit kann folgen",
    ),
    "month_help": _M(
        "a date such as 16.12.2025 or 2025-12-16, or a month such as 12/2025",
        "ein Datum wie 16.12.2025 oder 2025-12-16, oder ein Monat wie 12/2025",
    ),
    "time_help": _M(
        "a time such as 08:30, 08:30:00 or 8 Uhr, a date may precede it",
        "eine Uhrzeit wie 08:30, 08:30:00 oder 8 Uhr, ein Datum kann davor stehen",
    ),
    "slot_help": _M(
        "a time such as 08:30, 08:30:00 or 8 Uhr, a date may precede it, or a range such as 14:00-16:00",
        "eine Uhrzeit wie 08:30, 08:30:00 oder 8 Uhr, ein Datum kann davor stehen, oder ein Zeitraum wie 14:00-16:00",
    ),
    "not_a_date": _M("is not a date", "ist kein Datum"),
    "not_an_instant": _M(
        "is no instant; accepted: ISO 8601 with an offset, such as 2026-11-23T08:00:00Z or 2026-11-23T09:00:00+01:00",
        "ist kein Zeitpunkt; erlaubt: ISO 8601 mit Zeitzone, wie 2026-11-23T08:00:00Z oder 2026-11-23T09:00:00+01:00",
    ),
    "not_a_time": _M("is not a time", "ist keine Uhrzeit"),
    "not_on_calendar": _M("is not on the calendar or the clock", "steht nicht im Kalender oder nicht auf der Uhr"),
    "unclear_century": _M(
        "has a year of two digits whose century is not clear, send it with four digits",
        "hat ein zweistelliges Jahr, dessen Jahrhundert nicht klar ist, vierstellig ist es klar",
    ),
    "skipped_hour": _M(
        "does not exist: clocks go from 2:00 to 3:00 on that day",
        "gibt es nicht: an diesem Tag springen die Uhren von 2:00 auf 3:00",
    ),
}

_SHAPES: dict[str, Message] = {
    "missing": _M("is required", "fehlt"),
    "whole_answer": _M(
        "is required; of an answer of GET send the member `order`, without what is around it",
        "fehlt; von einer Antwort auf GET gehört `order` hierher, ohne das, was darum steht",
    ),
    "extra_forbidden": _M(
        "is not a field of this request; leave it out", "ist kein Feld dieser Anfrage; bitte weglassen"
    ),
    "similar_field": _M(
        "is not a field of this request; did you mean {similar}?",
        "ist kein Feld dieser Anfrage; war {similar} gemeint?",
    ),
    "bool_type": _M("must be true or false", "muss true oder false sein"),
    "bool_parsing": _M("must be true or false", "muss true oder false sein"),
    "model_type": _M("must be an object", "muss ein Objekt sein"),
    "dict_type": _M("must be an object", "muss ein Objekt sein"),
    "model_attributes_type": _M("must be an object", "muss ein Objekt sein"),
    "list_type": _M("must be a list", "muss eine Liste sein"),
    "too_short": _M("must not be empty", "darf nicht leer sein"),
    "too_long": _M("must be at most {max_length} long", "darf höchstens {max_length} lang sein"),
    "enum": _M("must be one of {expected}", "muss eines von diesen sein: {expected}"),
    "literal_error": _M("must be one of {expected}", "muss eines von diesen sein: {expected}"),
    "value_error": _M("can't be taken", "kann nicht angenommen werden"),
    "more_problems": _M("and {count} more", "und {count} weitere"),
    "conflicting_fields": _M(
        "{other} is given too; accepted: one of the two", "{other} ist auch angegeben; erlaubt: eines von beiden"
    ),
    "repeated": _M("is given {count} times; accepted: once", "ist {count}-mal angegeben; erlaubt: einmal"),
    "order_id_mismatch": _M(
        "must equal the order id in the path, {order_id}", "muss die Auftragsnummer im Pfad sein, {order_id}"
    ),
    "nothing_to_sign": _M(
        "there is no line to sign; accepted: with one of {names}",
        "es gibt keine Zeile, die unterschrieben werden könnte; erlaubt: zusammen mit {names}",
    ),
    "no_identity": _M(
        "a new order needs a person or a vehicle; accepted: at least one of {names}, not empty",
        "ein neuer Auftrag braucht eine Person oder ein Fahrzeug; erlaubt: mindestens eines von {names}, nicht leer",
    ),
    "read_only": _M(
        "is read only, and the order has {held} there; leave it out, or read the order again",
        "kann nur gelesen werden, und der Auftrag hat dort {held}; bitte weglassen, oder den Auftrag neu lesen",
    ),
    "read_only_plate": _M(
        "is read only; accepted: vehicle_details.number_plate, which it is taken from",
        "kann nur gelesen werden; erlaubt: vehicle_details.number_plate, woraus es stammt",
    ),
    "read_only_hidden": _M("is read only; leave it out", "kann nur gelesen werden; bitte weglassen"),
    "nothing": _M("nothing", "nichts"),
    "something_else": _M("something else", "etwas anderes"),
    "etag": _M(
        'is not one ETag of an order; accepted: one such as "4", with its quotes, as GET tells it, or *',
        'ist nicht das ETag eines Auftrags; erlaubt: eines wie "4" aus GET, mit Anführungszeichen, oder *',
    ),
}

_QUERIES: dict[str, Message] = {
    "unknown_parameter": _M("is not a parameter of this route{hint}", "ist kein Parameter dieser Adresse{hint}"),
    "no_parameters": _M("; it has none", "; sie hat keine"),
    "parameters": _M("; accepted: {names}", "; erlaubt: {names}"),
    "similar_parameter": _M("; did you mean {similar}? Accepted: {names}", "; ist {similar} gemeint? Erlaubt: {names}"),
    "too_many_rows": _M(
        "an Excel workbook can't hold that many rows; accepted: up to {count}, or CSV",
        "so viele Zeilen fasst keine Excel-Datei; erlaubt: bis {count}, oder CSV",
    ),
    "not_utf8": _M(
        "is not UTF-8; accepted: UTF-8, percent-encoded, as %C3%BC for ü",
        "ist nicht UTF-8; erlaubt: UTF-8 in Prozentkodierung, wie %C3%BC für ü",
    ),
    "unknown_field": _M(
        "'{name}' is not a member of an order; accepted: {names}",
        "'{name}' ist kein Bestandteil eines Auftrags; erlaubt: {names}",
    ),
    "feed_cursor": _M(
        "is not a cursor of this feed; accepted: `next_cursor` of an earlier answer, or latest",
        "ist kein Cursor dieses Feeds; erlaubt: `next_cursor` einer früheren Antwort, oder latest",
    ),
    "event_types": _M(
        "'{name}' is no type of event; accepted: {types}", "'{name}' ist keine Art von Ereignis; erlaubt: {types}"
    ),
    "cursor": _M(
        "is not a cursor of this list; accepted: the next_cursor of an answer, as it is",
        "ist kein Cursor dieser Liste; erlaubt: next_cursor aus einer Antwort, unverändert",
    ),
    "too_broad": _M(
        "it took longer than {seconds} s and was given up; accepted: a narrower question (more of the plate, longer "
        "words, days, no total), or the same once the connector is less busy",
        "es dauerte länger als {seconds} s und wurde abgebrochen; erlaubt: eine engere Frage (mehr vom Kennzeichen, "
        "längere Wörter, Tage, kein total), oder dieselbe, wenn der Connector weniger zu tun hat",
    ),
    "too_many_to_compare": _M(
        "it has too many orders to compare and was given up; accepted: a narrower question (more of the plate, longer "
        "words, days, no total)",
        "es wären zu viele Aufträge zu vergleichen, und es wurde abgebrochen; erlaubt: eine engere Frage (mehr vom "
        "Kennzeichen, längere Wörter, Tage, kein total)",
    ),
    "nothing_asked": _M(
        "is empty, and so are the others; accepted: q, plate, name, phone or email, as far as heard",
        "ist leer, und die anderen auch; erlaubt: q, plate, name, phone oder email, soweit verstanden",
    ),
}

_JSON: dict[str, Message] = {
    "json_invalid": _M(
        "The body can't be read as JSON in UTF-8: {reason}", "Der Inhalt ist kein JSON in UTF-8: {reason}"
    ),
    "json_place": _M("{reason} at line {line}, column {column}", "{reason} in Zeile {line}, Spalte {column}"),
    "json_encoding": _M("it seems to be {encoding}", "er scheint {encoding} zu sein"),
    "json_not_utf8": _M("it is not UTF-8", "er ist nicht UTF-8"),
    "json_eof": _M("it ends too early", "er endet zu früh"),
    "json_trailing_comma": _M("there is a comma too many", "ein Komma ist zu viel"),
    "json_trailing": _M("something follows behind the end", "hinter dem Ende folgt noch etwas"),
    "json_colon": _M("a colon is missing", "ein Doppelpunkt fehlt"),
    "json_comma": _M("a comma or the closing bracket is missing", "ein Komma oder die schließende Klammer fehlt"),
    "json_key": _M("a member's name must be in double quotes", "ein Name muss in Anführungszeichen stehen"),
    "json_string": _M(
        "a text holds what a JSON text can't", "ein Text enthält, was in JSON nicht in Texten stehen kann"
    ),
    "json_number": _M("a number is not written as JSON writes it", "eine Zahl ist nicht wie in JSON geschrieben"),
    "json_depth": _M("it is nested too deeply", "er ist zu tief geschachtelt"),
    "json_value": _M("there is no JSON value", "da ist kein JSON-Wert"),
    "too_many_values": _M(
        "this JSON holds too much; accepted: up to {most} members and entries",
        "dieses JSON enthält zu viel; erlaubt: bis zu {most} Einträge",
    ),
}

_PLANSO: dict[str, Message] = {
    "planso_not_offered": _M(
        "'{text}' is not offered by PlanSo's '{label}'; {offer}",
        "'{text}' bietet '{label}' in PlanSo nicht an; {offer}",
    ),
    "planso_offer": _M("accepted: {options}", "erlaubt: {options}"),
    "planso_more": _M("{options}, … and {more} more", "{options}, … und {more} weitere"),
    "planso_not_clearable": _M(
        "PlanSo's '{label}' can't be cleared: it has no empty choice; {offer}",
        "'{label}' in PlanSo kann nicht geleert werden: es gibt keine leere Auswahl; {offer}",
    ),
    "planso_check_box": _M(
        "is a check box in PlanSo; accepted: ja, nein", "ist in PlanSo ein Kästchen; erlaubt: ja, nein"
    ),
    "planso_moment_column": _M(
        "holds a time of day in PlanSo; accepted: a date with a time, or a time such as 16:00",
        "enthält in PlanSo eine Uhrzeit; erlaubt: ein Datum mit Uhrzeit, oder eine Uhrzeit wie 16:00",
    ),
    "planso_time_column": _M(
        "holds a time of day in PlanSo; accepted: a time such as 16:00",
        "enthält in PlanSo eine Uhrzeit; erlaubt: eine Uhrzeit wie 16:00",
    ),
    "planso_skipped_hour": _M(
        "on the {day} that it holds in PlanSo {reason}", "am {day}, der in PlanSo steht, {reason}"
    ),
    "planso_no_date": _M(
        "holds no date in PlanSo that a time alone could go with; accepted: {accepted}",
        "enthält in PlanSo kein Datum, zu dem eine Uhrzeit allein passen würde; erlaubt: {accepted}",
    ),
    "planso_date": _M(
        "holds a date in PlanSo; accepted: {accepted}", "enthält in PlanSo ein Datum; erlaubt: {accepted}"
    ),
    "planso_read_only": _M("PlanSo's '{label}' is read only there", "'{label}' kann in PlanSo nur gelesen werden"),
    "planso_label_missing": _M(
        "this PlanSo's form has no label {names}", "das Formular dieses PlanSo hat kein Feld {names}"
    ),
    "planso_label_taken": _M(
        "this PlanSo's form has no label of its own for it; '{label}' holds something else",
        "das Formular dieses PlanSo hat dafür kein eigenes Feld; '{label}' enthält etwas anderes",
    ),
    "planso_other_party": _M(
        "this PlanSo's form has a label {names} under '{title}' only, which is not the customer",
        "das Formular dieses PlanSo hat ein Feld {names} nur unter '{title}', das ist nicht der Kunde",
    ),
    "planso_ambiguous": _M(
        "it is not known where PlanSo's form holds it: {reason}; candidates: {candidates}",
        "wo es im Formular von PlanSo steht, ist nicht sicher: {reason}; möglich: {candidates}",
    ),
    "planso_script_filled": _M(
        "PlanSo fills {label} by a script after the page has loaded; saving the form would empty it, so nothing is "
        "sent. It can be written once a save of this form was learned or tried",
        "PlanSo füllt {label} mit einem Skript, nachdem die Seite geladen ist; Speichern würde es leeren, daher wird "
        "nichts gesendet. Es geht, sobald das Speichern dieses Formulars gelernt oder erprobt ist",
    ),
    "planso_not_sendable": _M(
        "'{label}' can't be emptied: this PlanSo is sent only what changes, and an unchecked box or an empty selection "
        "sends nothing (profile, save.unchecked)",
        "'{label}' kann nicht geleert werden: an dieses PlanSo geht nur, was sich ändert, und ein leeres Kästchen oder "
        "eine leere Auswahl sendet nichts (Profil, save.unchecked)",
    ),
    "planso_control_offer": _M(
        "the control '{name}' of this PlanSo's form does not offer what it held",
        "das Feld '{name}' im Formular dieses PlanSo bietet nicht an, was es enthielt",
    ),
    "planso_control_missing": _M(
        "this PlanSo's form has no control '{name}'", "das Formular dieses PlanSo hat kein Feld '{name}'"
    ),
    "planso_form": _M("can't be taken by PlanSo's form", "passt nicht in das Formular von PlanSo"),
    "planso_form_line": _M(
        "PlanSo's form can't take a line in {field}", "das Formular von PlanSo nimmt in {field} keine Zeile auf"
    ),
    "not_damaged_control": _M(
        "{names} is not among the damaged controls; accepted: {accepted}",
        "{names} ist nicht unter den beschädigten Feldern; erlaubt: {accepted}",
    ),
    "none_stopped": _M("none, as nothing is stopped there", "keines, denn dort ist nichts angehalten"),
    "not_damaged": _M(
        "{names} is not among what the save changed; accepted: {accepted}",
        "{names} ist nicht unter dem, was das Speichern geändert hat; erlaubt: {accepted}",
    ),
}

MESSAGES: dict[str, Message] = _NUMBERS | _TEXTS | _MOMENTS | _SHAPES | _QUERIES | _JSON | _PLANSO
