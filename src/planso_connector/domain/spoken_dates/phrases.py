"""Say moments and questions about them, German and English; each moment that is said resolves to itself."""

from collections.abc import Sequence
from datetime import date, time

from planso_connector.domain.language import Language
from planso_connector.domain.progress.sentence import format_day_de, format_day_en, format_time_de, format_time_en
from planso_connector.domain.spoken_dates.moment import DateQuestion, DayPart, QuestionReason, SpokenMoment

_PARTS: dict[Language, dict[DayPart, str]] = {
    "de": {
        DayPart.MORNING: "vormittags",
        DayPart.NOON: "mittags",
        DayPart.AFTERNOON: "nachmittags",
        DayPart.EVENING: "abends",
        DayPart.NIGHT: "nachts",
    },
    "en": {
        DayPart.MORNING: "in the morning",
        DayPart.NOON: "around midday",
        DayPart.AFTERNOON: "in the afternoon",
        DayPart.EVENING: "in the evening",
        DayPart.NIGHT: "at night",
    },
}
_FIRST_HOUR_OF_DAY = 7

_QUESTIONS: dict[Language, dict[QuestionReason, str]] = {
    "de": {
        QuestionReason.NOT_UNDERSTOOD: "An welchem Tag, und um wie viel Uhr?",
        QuestionReason.WHICH_OF: "Meinen Sie {options}?",
        QuestionReason.WHICH_DAY: "An welchem Tag genau?",
        QuestionReason.WHICH_TIME: "Um wie viel Uhr genau?",
        QuestionReason.PASSED: "Dieser Zeitpunkt ist schon vorbei. An welchem Tag soll es sein?",
        QuestionReason.NO_SUCH_DAY: "Diesen Tag gibt es nicht. An welchem Tag soll es sein?",
        QuestionReason.NO_SUCH_TIME: "Diese Uhrzeit gibt es nicht. Um wie viel Uhr soll es sein?",
    },
    "en": {
        QuestionReason.NOT_UNDERSTOOD: "On which day, and at what time?",
        QuestionReason.WHICH_OF: "Do you mean {options}?",
        QuestionReason.WHICH_DAY: "On which day exactly?",
        QuestionReason.WHICH_TIME: "At what time exactly?",
        QuestionReason.PASSED: "That time has passed. Which day should it be?",
        QuestionReason.NO_SUCH_DAY: "There is no such day. Which day should it be?",
        QuestionReason.NO_SUCH_TIME: "There is no such time. What time should it be?",
    },
}
_NEXT_YEAR: dict[Language, str] = {
    "de": "Dieser Tag ist schon vorbei. Meinen Sie {options}?",
    "en": "That day has passed. Do you mean {options}?",
}
_SPANS: dict[Language, str] = {
    "de": "An welchem Tag genau, zwischen {first} und {last}?",
    "en": "On which day exactly, between {first} and {last}?",
}
_OR: dict[Language, str] = {"de": "oder", "en": "or"}


def say_day(day: date, today: date, language: Language, article: str = "den") -> str:
    """`heute`, `morgen, Mittwoch, den 2. Dezember`, `Dienstag, den 8. Dezember`."""
    return format_day_de(day, today, article) if language == "de" else format_day_en(day, today)


def say_time(clock: time, language: Language) -> str:
    """`8 Uhr`, `14:30 Uhr`, `5 Uhr morgens`; `8 am`."""
    if language == "en":
        return format_time_en(clock)
    return format_time_de(clock) + (" morgens" if 1 <= clock.hour < _FIRST_HOUR_OF_DAY else "")


def say_moment(moment: SpokenMoment, today: date, language: Language) -> str:
    """`Dienstag, den 8. Dezember, um 8 Uhr`, `heute um 14 Uhr`, `Dienstag, den 8. Dezember, vormittags`."""
    day = say_day(moment.day, today, language)
    comma = "" if moment.day == today else ","
    if moment.clock is not None:
        return f"{day}{comma} {'um' if language == 'de' else 'at'} {say_time(moment.clock, language)}"
    return f"{day}{comma} {_PARTS[language][moment.part]}" if moment.part is not None else day


def say_options(moments: Sequence[SpokenMoment], today: date, language: Language) -> str:
    """`Dienstag, den 8. Dezember, oder Freitag, den 11. Dezember`; at least one."""
    said = [say_moment(moment, today, language) for moment in moments]
    if len(said) == 1:
        return said[0]
    return f"{'; '.join(said[:-1])}; {_OR[language]} {said[-1]}" if len(said) > 2 else f", {_OR[language]} ".join(said)


def say_question(question: DateQuestion, today: date, language: Language) -> str:
    if question.span is not None:
        first, last = (say_day(day, today, language, "dem") for day in question.span)
        return _SPANS[language].format(first=first, last=last)
    if question.options and question.reason in (QuestionReason.WHICH_OF, QuestionReason.PASSED):
        template = (
            _QUESTIONS[language][question.reason]
            if question.reason is QuestionReason.WHICH_OF
            else _NEXT_YEAR[language]
        )
        return template.format(options=say_options(question.options, today, language))
    return _QUESTIONS[language][question.reason]
