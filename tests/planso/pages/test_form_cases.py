# ruff: noqa: E501 - markup stands as PlanSo would send it
"""
Forms as PlanSo may build them: what is read, what is sent, and exactly which controls a write changes.

`form_cases.json` holds one case of each kind: `content`, `read` by field path, `sent` as Chromium sends the untouched form
with jQuery's `serialize()` (empty where Chromium finds no form), `ask`, and `changes` by control name. `{}` is a refusal,
or nothing to change. A hidden and a visible control of one name are told together, `0,1`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form import Form
from tests.planso.conftest import form_of

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "form_cases.json").read_text(encoding="utf-8"))


def by_name(form: Form, asked: dict[str, Value] | None = None) -> dict[str, list[str]]:
    """What is sent, by name."""
    found = defaultdict(list)
    plan = form.plan(asked) if asked is not None else None
    for name, value in parse_qsl(form.serialise(plan), keep_blank_values=True):
        found[name].append(value)
    return dict(found)


def changed(content: str, asked: dict[str, Value]) -> dict[str, list[str]] | str:
    """The names whose values differ in what a write sends, or the kind of the refusal."""
    form = form_of(content)
    before = by_name(form)
    try:
        after = by_name(form, asked)
    except Invalid as refused:
        return refused.problems[0].type
    return {name: after.get(name, []) for name in before | after if before.get(name) != after.get(name)}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_form_is_read_and_sent_as_a_browser_does(case: dict[str, Any]) -> None:
    """What a person reads is read, what Chromium sends is sent, and a write changes what was asked and nothing else."""
    form = form_of(case["content"])
    values = form.read_fields().values
    found = changed(case["content"], case["ask"])

    assert {path: values[path] for path in case["read"]} == case["read"]
    if case["sent"]:
        assert form.serialise() == case["sent"]
    wanted = case["changes"]
    if not wanted:
        assert found == {} or isinstance(found, str)
    else:
        assert isinstance(found, dict)
        assert {name: ",".join(dict.fromkeys(values)) for name, values in found.items()} == wanted
