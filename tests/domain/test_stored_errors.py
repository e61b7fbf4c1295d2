"""An error that ended an operation is the same one when it is told again, however it was kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import errors, stored_errors
from planso_connector.domain.errors import ConnectorError, FieldMismatch, Problem
from planso_connector.domain.operation import Conflict
from planso_connector.rest.schemas.errors import error_response, get_status

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
STEPS = st.one_of(WORDS, st.integers(0, 99))
PLAIN = (errors.NotFound, errors.PlansoRefused, errors.Expired, errors.Cancelled, errors.AmbiguousCreate)
ENDS: st.SearchStrategy[ConnectorError] = st.one_of(
    *(WORDS.map(kind) for kind in PLAIN),
    st.lists(
        st.builds(Problem, st.lists(STEPS, min_size=1, max_size=4).map(tuple), WORDS, WORDS), min_size=1, max_size=3
    ).map(errors.Invalid),
    st.lists(st.builds(FieldMismatch, WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=3).map(errors.ReadBackMismatch),
    st.builds(errors.EditConflict, WORDS, st.lists(st.builds(Conflict, WORDS, VALUES, VALUES, VALUES), max_size=3)),
)


def kept(error: ConnectorError) -> ConnectorError:
    """As an operation keeps it: its text in one column, the rest as JSON in another."""
    return stored_errors.deserialize_error(json.loads(json.dumps(stored_errors.serialize_error(error))), str(error))


@given(ENDS)
def test_an_error_comes_back_whole(error: ConnectorError) -> None:
    """Kind, text, and all that it names of fields; and it is answered byte for byte as the first time."""
    again = kept(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    for name in ("problems", "kept", "conflicts"):
        assert getattr(again, name, None) == getattr(error, name, None)
    assert get_status(again) == get_status(error)
    assert error_response(again).body == error_response(error).body


@given(ENDS)
def test_conflicts_are_told_with_the_operation_too(error: ConnectorError) -> None:
    """None for what is no conflict, and for an operation without an error."""
    told = stored_errors.deserialize_conflicts(json.loads(json.dumps(stored_errors.serialize_error(error))))
    assert told == list(getattr(error, "conflicts", ()))
    assert stored_errors.deserialize_conflicts(None) == []


@pytest.mark.parametrize("kind", [errors.PlansoUnavailable, errors.LoginRejected, errors.StoreUnavailable])
def test_an_error_that_ends_no_operation_is_a_refusal(kind: type[ConnectorError]) -> None:
    """Whatever is written down can be raised again, with its text."""
    again = kept(kind("so it is"))
    assert type(again) is errors.PlansoRefused
    assert str(again) == "so it is"
