"""An error that crosses from one process to another is the same one there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import errors, forwarded_errors
from planso_connector.domain.errors import ConnectorError, FieldMismatch, Problem
from planso_connector.domain.operation import Conflict
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.pages.form_parser import FormMissing
from planso_connector.rest.schemas.errors import error_response, get_status
from tests.store.samples import at

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PLAIN = (
    *(errors.NotPossible, errors.PlansoUnavailable, errors.PlansoTimeout, errors.PlansoLeaseLost, errors.PlansoRefused),
    *(errors.LoginRejected, errors.Damaged, errors.Expired, errors.AmbiguousCreate, errors.OrderIdReused),
    *(errors.Cancelled, errors.MassRemoval, errors.TooManyWaiting, errors.StoreUnavailable, errors.StoreTimeout),
    *(errors.CommitUnknown, errors.TooManyPending, errors.WritesStopped, errors.WritesShadowed, errors.IndexNotReady),
    errors.MirrorNotFilled,
)
FORWARDED: st.SearchStrategy[ConnectorError] = st.one_of(
    *(WORDS.map(kind) for kind in PLAIN),
    st.builds(errors.NotFound, WORDS, read_at=st.sampled_from([None, at(1)])),
    st.builds(errors.PlansoUnsure, WORDS, is_over=st.booleans()),
    st.builds(errors.PageChanged, WORDS, page=WORDS),
    st.builds(errors.PageTooLarge, WORDS, page=WORDS),
    st.builds(errors.CommitUnknown, WORDS, st.just("op_5f0c2b9e41d7a6380c1e")),
    st.lists(st.builds(Problem, st.tuples(WORDS, st.integers()), WORDS, WORDS, WORDS), min_size=1, max_size=3).map(
        errors.Invalid
    ),
    st.lists(st.builds(FieldMismatch, WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=3).map(errors.ReadBackMismatch),
    st.builds(errors.EditConflict, WORDS, st.lists(st.builds(Conflict, WORDS, WORDS, WORDS, WORDS), max_size=3)),
)


def cross(error: ConnectorError) -> ConnectorError:
    return forwarded_errors.deserialize_error(json.loads(json.dumps(forwarded_errors.serialize_error(error))))


@given(FORWARDED)
def test_an_error_crosses_whole(error: ConnectorError) -> None:
    """Type, text and members; and the caller's response is byte for byte what it would have been there."""
    again = cross(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    for name in ("problems", "mismatches", "conflicts", "read_at", "is_over", "page", "operation_id"):
        assert getattr(again, name, None) == getattr(error, name, None)
    assert get_status(again) == get_status(error)
    assert error_response(again).body == error_response(error).body


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SessionEnded("ended"), errors.PlansoUnavailable),
        (FormMissing("no form"), errors.PageChanged),
        (errors.QueryTooBroad(2.0), errors.Invalid),
        (errors.NotAllowed("no", "admin"), errors.CallerError),
    ],
)
def test_others_become_the_nearest_that_is_known(error: ConnectorError, kind: type[ConnectorError]) -> None:
    """An error of a class of its own crosses as what it is in general."""
    again = cross(error)
    assert (type(again), str(again)) == (kind, str(error))


def test_every_error_can_cross() -> None:
    """No class of the hierarchy needs a member that is not carried, but those that no forwarded flow raises."""
    for kind in errors.__dict__.values():
        if isinstance(kind, type) and issubclass(kind, ConnectorError) and kind.__name__ in forwarded_errors.CLASSES:
            try:
                error = kind("text")
            except (TypeError, AttributeError):
                assert kind in (errors.Invalid, errors.ReadBackMismatch, errors.EditConflict)
            else:
                assert type(cross(error)) is kind
