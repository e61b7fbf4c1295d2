"""Prompts: the system prompt of a phone agent, German and English. docs/agents.md shows the texts of their files."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

WORKSHOP = "workshop"
"""The prompts' argument: the workshop's name."""
MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    title: str
    description: str
    file: str
    unnamed: str
    named: str
    """Whose agent it is, without the workshop's name and with it."""

    def render(self, workshop: str = "") -> str:
        name = " ".join(workshop.split())[:MAX_NAME_LENGTH]
        return _read(self.file).replace("{workshop}", self.named.format(name) if name else self.unnamed)


PROMPTS = (
    Prompt(
        "phone_agent_de",
        "Telefonassistent einer Karosseriewerkstatt",
        "System prompt for a phone agent that speaks German with callers.",
        "phone_agent.de.txt",
        "einer Karosserie- und Lackwerkstatt",
        "von {}, einer Karosserie- und Lackwerkstatt",
    ),
    Prompt(
        "phone_agent_en",
        "Phone agent of a body shop",
        "System prompt for a phone agent that speaks English with callers.",
        "phone_agent.en.txt",
        "of a body and paint shop",
        "of {}, a body and paint shop",
    ),
)


@cache
def _read(file: str) -> str:
    return files(__package__).joinpath(file).read_text("utf-8")
