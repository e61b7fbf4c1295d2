"""An operation's error is the same one after it was stored."""

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
PLAIN = (
    *(errors.NotFound, errors.PlansoRefused, errors.Damaged, errors.Expired, errors.Cancelled),
    *(errors.AmbiguousCreate, errors.OrderIdReused),
)
ENDS: st.SearchStrategy[ConnectorError] = st.one_of(
    *(WORDS.map(kind) for kind in PLAIN),
    st.lists(
        st.builds(Problem, st.lists(STEPS, min_size=1, max_size=4).map(tuple), WORDS, WORDS), min_size=1, max_size=3
    ).map(errors.Invalid),
    st.lists(st.builds(FieldMismatch, WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=3).map(errors.ReadBackMismatch),
    st.builds(errors.EditConflict, WORDS, st.lists(st.builds(Conflict, WORDS, VALUES, VALUES, VALUES), max_size=3)),
)


def store_and_load(error: ConnectorError) -> ConnectorError:
    """As the table of operations does: its text in one column, the rest as JSON in another."""
    return stored_errors.deserialize_error(json.loads(json.dumps(stored_errors.serialize_error(error))), str(error))


@given(ENDS)
def test_an_error_is_loaded_whole(error: ConnectorError) -> None:
    """Type, text and fields; and its response is byte for byte the first one."""
    again = store_and_load(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    for name in ("problems", "kept", "conflicts"):
        assert getattr(again, name, None) == getattr(error, name, None)
    assert get_status(again) == get_status(error)
    assert error_response(again).body == error_response(error).body


@given(ENDS)
def test_conflicts_can_be_loaded_alone(error: ConnectorError) -> None:
    """None for other errors, and for an operation without an error."""
    loaded = stored_errors.deserialize_conflicts(json.loads(json.dumps(stored_errors.serialize_error(error))))
    assert loaded == list(getattr(error, "conflicts", ()))
    assert stored_errors.deserialize_conflicts(None) == []


@pytest.mark.parametrize("error_class", [errors.PlansoUnavailable, errors.LoginRejected, errors.StoreUnavailable])
def test_an_error_that_ends_no_operation_is_stored_as_a_refusal(error_class: type[ConnectorError]) -> None:
    """Whatever is stored can be loaded, with its text."""
    again = store_and_load(error_class("so it is"))
    assert type(again) is errors.PlansoRefused
    assert str(again) == "so it is"


@pytest.mark.parametrize(
    ("stored", "error_class"),
    [
        ({"type": "Stranger"}, errors.OrderIdReused),
        ({"type": "Ambiguous"}, errors.AmbiguousCreate),
        ({"type": "ValueKept", "kept": []}, errors.ReadBackMismatch),
        ({"type": "Conflicting", "conflicts": []}, errors.EditConflict),
    ],
)
def test_names_of_earlier_versions_are_read(stored: dict[str, object], error_class: type[ConnectorError]) -> None:
    """The database keeps the stored names, whatever the classes are called."""
    error = stored_errors.deserialize_error(stored, "so it is")
    assert type(error) is error_class
    assert stored_errors.serialize_error(error) == stored
