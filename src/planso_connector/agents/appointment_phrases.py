"""What is said of appointments, German and English."""

from planso_connector.agents.tool_answer import Phrase
from planso_connector.domain.capacity.capacity import BookingKind

WHAT_FOR = {
    BookingKind.ESTIMATE: Phrase("zur Besichtigung", "for the inspection"),
    BookingKind.DROP_OFF: Phrase("zur Abgabe des Fahrzeugs", "to drop off the vehicle"),
    BookingKind.PICK_UP: Phrase("zur Abholung", "to pick up the vehicle"),
}
WHICH_KIND = Phrase(
    "Geht es um eine Besichtigung, um die Abgabe oder um die Abholung des Fahrzeugs?",
    "Is it for an inspection, to drop off the vehicle, or to pick it up?",
)
WHEN = Phrase("An welchem Tag, und um wie viel Uhr?", "On which day, and at what time?")
WHICH_TIME = Phrase("Um wie viel Uhr genau?", "At what time exactly?")
WHICH_TIME_OF = Phrase(
    "Für {day}: um wie viel Uhr? Frei ist {times}.", "For {day}: at what time? There is room at {times}."
)
OTHER_TIMES = Phrase(
    "Um {time} geht das leider nicht. Für {day}: um wie viel Uhr? Frei ist {times}.",
    "At {time} that is not possible, I am afraid. For {day}: at what time? There is room at {times}.",
)
DONE = Phrase("Ihr Termin {what} ist eingetragen: {when}.", "Your appointment {what} has been entered: {when}.")
DONE_WITHOUT_TIME = Phrase(
    "Ihr Termin {what} ist für den Tag eingetragen: {when}. Die Uhrzeit ließ sich dort nicht festhalten.",
    "Your appointment {what} has been entered for the day: {when}. The time could not be kept there.",
)
AS_BEFORE = Phrase(
    "Ihr Termin {what} steht schon so im Auftrag: {when}.", "Your appointment {what} is at that time already: {when}."
)
NOTED = Phrase(
    "Ihr Terminwunsch {what} ist notiert und wird gerade eingetragen: {when}. Bestätigt ist er noch nicht.",
    "Your appointment {what} is noted and is being entered: {when}. It is not confirmed yet.",
)
CHANGED_SINCE = Phrase(
    "In der Werkstatt hat inzwischen jemand den Termin geändert. Ein Kollege muss nachsehen.",
    "Somebody at the workshop has changed the appointment since. A colleague has to check.",
)
NO_ROOM = Phrase("Für {when} ist leider nichts frei. {nearest}", "For {when} there is no room, I am afraid. {nearest}")
NEAREST = Phrase("Die nächsten freien Termine sind: {options}.", "The nearest ones are: {options}.")
NOTHING_NEAR = Phrase(
    "Auch in den Wochen davor und danach finde ich nichts Freies.", "Nor do I find any in the weeks around it."
)
