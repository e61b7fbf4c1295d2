"""Requests and results of forwarded calls are the same ones on the other side; credentials are readable there alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import PlansoUnavailable
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import FieldChange
from planso_connector.flows.operating import forwarded_kinds as kinds
from planso_connector.flows.operating.sealed_credentials import LIFETIME, MAX_KEYS, OneOffKeys, seal
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.store.sync_runs import Trigger

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(0, 1e6), WORDS)
IDS = st.integers(1, 2**53)
TEXTS = st.lists(WORDS, max_size=3).map(tuple)
FIELDS = st.dictionaries(WORDS, VALUES, max_size=4)
PREVIEWS = st.builds(
    Preview,
    st.one_of(st.none(), IDS),
    st.lists(st.builds(FieldChange, WORDS, VALUES, VALUES, WORDS), max_size=3).map(tuple),
    st.lists(st.one_of(WORDS, WORDS.map(RequestNote)), max_size=3).map(tuple),
    TEXTS,
    FIELDS,
    st.booleans(),
)
DRY_RUNS = st.builds(
    kinds.DryRunCall, st.sampled_from(kinds.DryRunAction), st.one_of(st.none(), IDS), FIELDS, WORDS, TEXTS
)
EXCHANGES: tuple[tuple[kinds.CallKind[Any, Any], st.SearchStrategy[Any], st.SearchStrategy[Any]], ...] = (
    (kinds.LIVE_READ, st.builds(kinds.LiveRead, IDS), st.none()),
    (kinds.DRY_RUN, DRY_RUNS, PREVIEWS),
    (kinds.LOGIN_KEY, st.just(kinds.LoginKeyRequest()), WORDS),
    (kinds.LOGIN, st.builds(kinds.LoginCall, WORDS), st.none()),
    (
        kinds.SYNC_START,
        st.builds(kinds.SyncStart, st.sampled_from(Trigger), st.booleans(), st.booleans()),
        st.builds(kinds.SyncStarted, WORDS, st.booleans()),
    ),
)


@pytest.mark.parametrize(("kind", "requests", "results"), EXCHANGES, ids=[exchange[0].name for exchange in EXCHANGES])
@given(data=st.data())
def test_requests_and_results_cross_whole(
    kind: kinds.CallKind[Any, Any],
    requests: st.SearchStrategy[Any],
    results: st.SearchStrategy[Any],
    data: st.DataObject,
) -> None:
    """Equal, of the same types, with fields in their order, and notes on the request alone still marked."""
    request, result = data.draw(requests), data.draw(results)
    other = kind.decode_request(json.loads(json.dumps(kind.encode_request(request))))
    assert (other, repr(other)) == (request, repr(request))
    again = kind.decode_result(json.loads(json.dumps(kind.encode_result(result))))
    assert (again, repr(again)) == (result, repr(result))
    if isinstance(result, Preview):
        assert [type(note) for note in again.notes] == [type(note) for note in result.notes]


@given(WORDS, WORDS)
def test_credentials_are_read_by_one_process_once(user: str, password: str) -> None:
    """What passes through the database opens with its key, not again, and not in another process."""
    keys, others = OneOffKeys(), OneOffKeys()
    sealed = seal(keys.create(), (user, password))
    with pytest.raises(PlansoUnavailable, match="try again"):
        others.open(sealed)
    assert keys.open(sealed) == (user, password)
    with pytest.raises(PlansoUnavailable, match="try again"):
        keys.open(sealed)
    assert seal(keys.create(), (user, password)) != seal(keys.create(), (user, password))


def test_keys_are_bounded_and_forgotten() -> None:
    """A key serves for a minute, of very many the latest serve, and what was changed on its way is not used."""
    now = 0.0
    keys = OneOffKeys(lambda: now)
    made = [keys.create() for _ in range(MAX_KEYS + 1)]
    sealed = [seal(key, ("werkstatt", "ein-langes-Passwort")) for key in made]
    with pytest.raises(PlansoUnavailable):
        keys.open(sealed[0])
    assert keys.open(sealed[1]) == ("werkstatt", "ein-langes-Passwort")
    forged = sealed[2].rsplit(" ", 1)[0] + " " + sealed[3].rsplit(" ", 1)[1]
    with pytest.raises(PlansoUnavailable, match="changed on their way"):
        keys.open(forged)
    now = LIFETIME + 1
    with pytest.raises(PlansoUnavailable):
        keys.open(sealed[4])
