"""One table of a profile file, which knows where it stands, so that errors can name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from planso_connector.planso.pages.text import label_key


class ProfileSection:
    """Every check raises ValueError naming the file, the key and what would be accepted."""

    def __init__(self, content: Any, where: str, prefix: str = "") -> None:
        self.where, self.prefix = where, prefix
        if not isinstance(content, dict):
            raise self.error("", "accepted: a table")
        self.content: dict[str, Any] = content

    def error(self, key: str, told: str) -> ValueError:
        name = f"{self.prefix}{key}".rstrip(".") or "the file"
        return ValueError(f"{self.where}: {name}: {told}")

    def check_keys(self, known: Iterable[str]) -> list[str]:
        accepted = list(known)
        for key in self.content:
            if key not in accepted:
                raise self.error(key, f"unknown key; accepted: {', '.join(accepted)}")
        return list(self.content)

    def subsection(self, key: str) -> ProfileSection:
        return ProfileSection(self.content[key], self.where, f"{self.prefix}{key}.")

    def read_names(self, key: str) -> tuple[str, ...]:
        """One text or a list of texts, each with at least one letter or digit."""
        given = self.content[key]
        names = [given] if isinstance(given, str) else given
        if isinstance(names, list) and names and all(isinstance(name, str) and label_key(name) for name in names):
            return tuple(names)
        raise self.error(key, 'accepted: a text or a list of texts with letters or digits, such as ["Halter"]')

    def read_texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, which may be empty."""
        given = self.content[key]
        if isinstance(given, list) and all(isinstance(text, str) and text for text in given):
            return tuple(given)
        raise self.error(key, 'accepted: a list of texts, such as ["f_8123"]; [] for none')

    def read_text(self, key: str) -> str:
        given = self.content[key]
        if isinstance(given, str) and given.strip() == given and given and given.isprintable():
            return given
        raise self.error(key, "accepted: a text in quotes, not empty, without blanks around it")

    def read_choice(self, key: str, accepted: Sequence[str]) -> str:
        given = self.content[key]
        if isinstance(given, str) and given in accepted:
            return given
        raise self.error(key, f"accepted: {', '.join(accepted)}")
