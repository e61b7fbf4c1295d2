"""A label and the control that it names."""

from __future__ import annotations

from typing import NamedTuple

from planso_connector.planso.pages.form_tree import ControlElement


class LabelPair(NamedTuple):
    """
    `position` is the label's in the document, `full_text` the label with the hints in it. `rivals` are the other
    controls that the label may mean, `doubt` says why; empty where it is sure. `clock` is the input of the time of day
    beside one of a date.
    """

    position: int
    label: str
    target: ControlElement
    full_text: str = ""
    rivals: tuple[ControlElement, ...] = ()
    doubt: str = ""
    clock: ControlElement | None = None
