"""Tell the installation's own words in a recording from possible personal data. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from functools import cached_property

from planso_connector.planso.pages.board_parser import parse_order_id
from planso_connector.planso.pages.page_masking import contains_personal_data, known_label_keys
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.saving.recording import RecordedForm, Recording, get_request_parameters
from planso_connector.planso.saving.save_response import format_scalar

_CONSTANT = re.compile(r"[\w.,:/+@!-]{0,80}", re.ASCII)
_SHORT = re.compile(r".{0,2}|\d{1,4}")
_TECHNICAL_WORD = re.compile(
    "ajax|all|create|data|delete|edit|false|form|html|insert|json|list|main|mode|new|none|null|orders?|post|projects?|put"
    "|remove|save|single|store|true|undefined|update|view",
    re.IGNORECASE,
)
_NAME = re.compile(r"\w[\w.:\[\]-]{0,80}", re.ASCII)
_TECHNICAL_WORDS = re.compile(
    r"(?!\w{25,})[A-Za-z]+(?:[_.,:/-][A-Za-z]+)*[_.-]?\d{0,4}|(?=.*[_.-])[A-Za-z]+(?:[_.,:/-][A-Za-z]+)*"
)
"""No token of random letters and digits, which is a secret of a session."""
_MASKED = re.compile(r"(?=.*[xX9]{3})[xX9\W]+")
"""A value in a redacted recording, from which the same has to be learned as from the original."""
_METHOD = re.compile(r"[a-z][a-z_]{0,60}")
"""A value of PlanSo's parameter `m`."""
_PATH_SEGMENT = re.compile(r"[a-z][A-Za-z_.-]{0,40}")
_LONG_NUMBER = re.compile(r"\d{7,}")
_WORD = re.compile(r"\w{4,}")


class Vocabulary:
    """Of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._known_label_keys = known_label_keys()

    @cached_property
    def personal_values(self) -> frozenset[str]:
        """What visible controls hold and what the login sent, case-folded."""
        texts = {text.strip().casefold() for text in self._personal_texts()}
        return frozenset(
            text
            for text in texts
            if len(text) >= 3 and not (text.isdigit() and len(text) < 5) and text not in ("nein", "ja")
        )

    @cached_property
    def _personal_words(self) -> frozenset[str]:
        """Words of these values that begin in upper case or hold a digit, as names, plates and numbers do."""
        words = {word for text in self._personal_texts() for word in _WORD.findall(text)}
        return frozenset(word for word in words if word[0].isupper() or any(map(str.isdigit, word)))

    @cached_property
    def _shared_names(self) -> frozenset[Hashable]:
        """Names of controls in the forms of several orders, the empty form included."""
        return _find_shared((form, (c.name for c in form.form.markup.controls)) for form in self._recording.forms)

    @cached_property
    def _shared_captions(self) -> frozenset[Hashable]:
        return _find_shared((form, (entry.key for entry in form.form.markup.entries)) for form in self._recording.forms)

    @cached_property
    def _parameter_counts(self) -> Counter[tuple[str, str]]:
        """How many requests carried a parameter with the same value."""
        parameters = {form.entry.number: get_request_parameters(form.entry) for form in self._recording.forms}
        pairs = {number: set(by_name.items()) for number, by_name in parameters.items()}
        for write in self._recording.writes:
            in_body = {(name, format_scalar(value)) for name, value in write.parameters.items()}
            pairs[write.entry.number] = set(get_request_parameters(write.entry).items()) | in_body
        return Counter(pair for of_request in pairs.values() for pair in of_request)

    def is_constant(self, name: str, value: str) -> bool:
        """Whether a parameter's value is the installation's: a technical word, or the same in several requests."""
        if not _CONSTANT.fullmatch(value) or _MASKED.fullmatch(value) or not self.is_name(name):
            return False
        if self._may_be_personal(value):
            return False
        if _TECHNICAL_WORD.fullmatch(value) or _SHORT.fullmatch(value):
            return True
        if not self._personal_words.isdisjoint(_WORD.findall(value)):
            return False
        is_method = name == "m" and _METHOD.fullmatch(value) is not None
        return is_method or "_" in value or self._parameter_counts[name, value] > 1

    def _may_be_personal(self, value: str) -> bool:
        """Whether it is or may be a value of an order, an order's id or a secret."""
        if value.casefold() in self.personal_values or contains_personal_data(value):
            return True
        if parse_order_id(value) in self._recording.order_ids or value in self._secrets:
            return True
        return len(value) >= 8 and not _TECHNICAL_WORDS.fullmatch(value)

    def is_path_segment(self, segment: str) -> bool:
        """Whether a segment of a path is the installation's."""
        if not _PATH_SEGMENT.fullmatch(segment) or _MASKED.fullmatch(segment):
            return False
        return segment.casefold() not in self.personal_values

    def is_name(self, name: str) -> bool:
        """Whether a name of a control or parameter is the installation's."""
        if not _NAME.fullmatch(name) or _MASKED.fullmatch(name):
            return False
        if name in self._shared_names:
            return True
        if name.casefold() in self.personal_values or _LONG_NUMBER.search(name):
            return False
        return self._personal_words.isdisjoint(re.split(r"[^A-Za-z0-9]+", name))

    def is_caption(self, text: str) -> bool:
        """Whether a label or heading is known to the connector, or occurs in the forms of several orders."""
        key = label_key(text)
        return key in self._known_label_keys or (key in self._shared_captions and not contains_personal_data(text))

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """Values of cookies and of hidden inputs on pages."""
        secrets = {value for _, values in self._recording.pages for value in values.values()}
        secrets.update(*(write.entry.cookies.values() for write in self._recording.writes))
        return frozenset(value for value in secrets if len(value) >= 6)

    def _personal_texts(self) -> Iterator[str]:
        for form in self._recording.forms:
            for entry in form.form.markup.entries:
                yield entry.display_text
                yield from (control.value for control in entry.controls)
        if self._recording.login is not None:
            yield from get_request_parameters(self._recording.login).values()


def _find_shared(groups: Iterable[tuple[RecordedForm, Iterable[str]]]) -> frozenset[Hashable]:
    """The names that belong to forms of several orders."""
    order_ids: defaultdict[Hashable, set[int | None]] = defaultdict(set)
    for form, names in groups:
        for name in names:
            order_ids[name].add(form.order_id)
    return frozenset(name for name, ids in order_ids.items() if len(ids) > 1)
