"""What in a recording is the installation's own word, and what may be somebody's data. In doubt the latter. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property

from planso_connector.planso.pages.board import parse_order_id
from planso_connector.planso.pages.redact import contains_personal_data, known_label_keys
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.saving.recording import RecordedForm, Recording, get_request_parameters
from planso_connector.planso.saving.save_response import format_scalar

_CONSTANT = re.compile(r"[\w.,:/+@!-]{0,80}", re.ASCII)
_SHORT = re.compile(r".{0,2}|\d{1,4}")
_TECHNICAL = re.compile(
    "ajax|all|create|data|delete|edit|false|form|html|insert|json|list|main|mode|new|none|null|orders?|post|projects?|put"
    "|remove|save|single|store|true|undefined|update|view",
    re.IGNORECASE,
)
_NAME = re.compile(r"\w[\w.:\[\]-]{0,80}", re.ASCII)
_WORDS = re.compile(
    r"(?!\w{25,})[A-Za-z]+(?:[_.,:/-][A-Za-z]+)*[_.-]?\d{0,4}|(?=.*[_.-])[A-Za-z]+(?:[_.,:/-][A-Za-z]+)*"
)
"""Technical words: no token of random letters and digits, which is a secret of a session."""
_MASKED = re.compile(r"(?=.*[xX9]{3})[xX9\W]+")
"""What redaction leaves of a value: a redacted recording is learned from as the raw one is."""
_METHOD = re.compile(r"[a-z][a-z_]{0,60}")
"""What PlanSo's `m=` calls."""
_STEP = re.compile(r"[a-z][A-Za-z_.-]{0,40}")
_LONG_NUMBER = re.compile(r"\d{7,}")
_WORD = re.compile(r"\w{4,}")


class Vocabulary:
    """Of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._captions = known_label_keys()

    @cached_property
    def personal_values(self) -> frozenset[str]:
        """What visible controls hold and what the login sent, case-folded."""
        found = set()
        for text in self._texts():
            folded = text.strip().casefold()
            if len(folded) >= 3 and not (folded.isdigit() and len(folded) < 5) and folded not in ("nein", "ja"):
                found.add(folded)
        return frozenset(found)

    @cached_property
    def _words(self) -> frozenset[str]:
        """Words of these values that begin in upper case or hold a digit, as names, plates and numbers do."""
        words = {word for text in self._texts() for word in _WORD.findall(text)}
        return frozenset(word for word in words if word[0].isupper() or any(sign.isdigit() for sign in word))

    @cached_property
    def _shared_names(self) -> frozenset[Hashable]:
        """Control names that the forms of two orders have, or of an order and the empty form: not of one of them."""
        return _shared((read, (c.name for c in read.form.markup.controls)) for read in self._recording.forms)

    @cached_property
    def _shared_captions(self) -> frozenset[Hashable]:
        return _shared((read, (entry.key for entry in read.form.markup.entries)) for read in self._recording.forms)

    @cached_property
    def _parameters(self) -> Counter[tuple[str, str]]:
        """How many requests carried a parameter with the same value."""
        entries = {read.entry.number: read.entry for read in self._recording.forms}
        entries |= {write.entry.number: write.entry for write in self._recording.writes}
        found: Counter[tuple[str, str]] = Counter()
        for entry in entries.values():
            members: Mapping[str, str] = get_request_parameters(entry)
            found.update(set(members.items()))
        for write in self._recording.writes:
            found.update(
                {(name, format_scalar(value)) for name, value in write.parameters.items()}
                - set(get_request_parameters(write.entry).items())
            )
        return found

    def is_constant(self, name: str, value: str) -> bool:
        """Whether a parameter's value is the installation's: a technical word, or the same in several requests."""
        if not _CONSTANT.fullmatch(value) or _MASKED.fullmatch(value) or not self.is_name(name):
            return False
        if (
            value.casefold() in self.personal_values
            or contains_personal_data(value)
            or parse_order_id(value) in self._recording.order_ids
        ):
            return False
        if value in self._secrets or (len(value) >= 8 and not _WORDS.fullmatch(value)):
            return False
        if _TECHNICAL.fullmatch(value) or _SHORT.fullmatch(value):
            return True
        if not self._words.isdisjoint(_WORD.findall(value)):
            return False
        return (
            (name == "m" and _METHOD.fullmatch(value) is not None) or "_" in value or self._parameters[name, value] > 1
        )

    def is_path_segment(self, step: str) -> bool:
        """Whether a step of a path may be shown."""
        return (
            _STEP.fullmatch(step) is not None
            and not _MASKED.fullmatch(step)
            and step.casefold() not in self.personal_values
        )

    def is_name(self, name: str) -> bool:
        """Whether a name of a control or parameter may be shown."""
        if not _NAME.fullmatch(name) or _MASKED.fullmatch(name):
            return False
        if name in self._shared_names:
            return True
        is_personal = name.casefold() in self.personal_values or not self._words.isdisjoint(
            re.split(r"[^A-Za-z0-9]+", name)
        )
        return not is_personal and not _LONG_NUMBER.search(name)

    def is_caption(self, text: str) -> bool:
        """Whether a label or heading is one of the connector's, or stands in the forms of two orders."""
        key = label_key(text)
        return key in self._captions or (key in self._shared_captions and not contains_personal_data(text))

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """Values of cookies and of hidden inputs on pages."""
        found = {value for _, values in self._recording.pages for value in values.values()}
        for write in self._recording.writes:
            found |= set(write.entry.cookies.values())
        return frozenset(value for value in found if len(value) >= 6)

    def _texts(self) -> Iterable[str]:
        for read in self._recording.forms:
            for entry in read.form.markup.entries:
                yield entry.display_text
                yield from (member.value for member in entry.controls)
        if self._recording.login is not None:
            yield from get_request_parameters(self._recording.login).values()


def _shared(found: Iterable[tuple[RecordedForm, Iterable[str]]]) -> frozenset[Hashable]:
    orders: defaultdict[Hashable, set[int | None]] = defaultdict(set)
    for read, names in found:
        for name in names:
            orders[name].add(read.order_id)
    return frozenset(name for name, ids in orders.items() if len(ids) > 1)
