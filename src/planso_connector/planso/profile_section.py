"""One table of a profile file, which knows its place so that errors can name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from planso_connector.planso.pages.text import label_key


class ProfileSection:
    """Every method raises ValueError naming the file, the key and what is accepted."""

    def __init__(self, content: Any, file: str, prefix: str = "") -> None:
        self.file, self.prefix = file, prefix
        if not isinstance(content, dict):
            raise self.error("", "accepted: a table")
        self.content: dict[str, Any] = content

    def error(self, key: str, message: str) -> ValueError:
        name = f"{self.prefix}{key}".rstrip(".") or "the file"
        return ValueError(f"{self.file}: {name}: {message}")

    def check_keys(self, known: Iterable[str]) -> list[str]:
        """The table's keys, all of them known."""
        accepted = list(known)
        for key in self.content:
            if key not in accepted:
                raise self.error(key, f"unknown key; accepted: {', '.join(accepted)}")
        return list(self.content)

    def subsection(self, key: str) -> ProfileSection:
        return ProfileSection(self.content[key], self.file, f"{self.prefix}{key}.")

    def read_names(self, key: str) -> tuple[str, ...]:
        """One text or a list of texts, each with at least one letter or digit."""
        value = self.content[key]
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list) and names and all(isinstance(name, str) and label_key(name) for name in names):
            return tuple(names)
        raise self.error(key, 'accepted: a text or a list of texts with letters or digits, such as ["Halter"]')

    def read_texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, which may be empty."""
        value = self.content[key]
        if isinstance(value, list) and all(isinstance(text, str) and text for text in value):
            return tuple(value)
        raise self.error(key, 'accepted: a list of texts, such as ["f_8123"]; [] for none')

    def read_text(self, key: str) -> str:
        value = self.content[key]
        if isinstance(value, str) and value.strip() == value and value and value.isprintable():
            return value
        raise self.error(key, "accepted: a text in quotes, not empty, without blanks around it")

    def read_choice(self, key: str, accepted: Sequence[str]) -> str:
        value = self.content[key]
        if isinstance(value, str) and value in accepted:
            return value
        raise self.error(key, f"accepted: {', '.join(accepted)}")
