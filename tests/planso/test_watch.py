"""The forms that are read of an order while a save of it is on its way."""

from __future__ import annotations

from typing import Any

from planso_connector.planso.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.watch import Watches


def form_of(order_id: int) -> Form:
    answer: dict[str, Any] = {"center": {"content": ""}}
    return Form.parse(answer, Profile.load(None), order_id)


def test_an_answer_that_took_its_time_is_no_later_one() -> None:
    """Two ask for the form one after the other, and the first one's answer comes last."""
    watches, early, late = Watches(), form_of(1), form_of(1)
    with watches.of(1) as watch:
        watches.saw(late, 2.0)
        watches.saw(early, 1.0)
        watches.saw(form_of(2), 3.0)
        assert [form is late for form in watch.forms] == [False, True]
