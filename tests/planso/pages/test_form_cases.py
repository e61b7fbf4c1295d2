# ruff: noqa: E501 - markup stands as PlanSo would send it
"""
Forms as PlanSo may build them: what is read, what is sent, and exactly which controls a write changes.

`form_cases.json` holds one case of each kind: `content`, `read` by field path, `sent` as Chromium sends the untouched form
with jQuery's `serialize()` (empty where Chromium finds no form), `ask`, and `changes` by control name. `{}` is a refusal,
or nothing to change. A hidden and a visible control of one name are told together, `0,1`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.planso.conftest import form_of
from tests.planso.pages.forms import find_changes

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "form_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_form_is_read_and_sent_as_a_browser_does(case: dict[str, Any]) -> None:
    """What a person sees is read, what Chromium sends is sent, and a write changes only what was requested."""
    form = form_of(case["content"])
    values = form.read_fields().values
    changes = find_changes(case["content"], case["ask"])

    assert {path: values[path] for path in case["read"]} == case["read"]
    if case["sent"]:
        assert form.serialise() == case["sent"]
    wanted = case["changes"]
    if not wanted:
        assert changes == {} or isinstance(changes, str)
    else:
        assert isinstance(changes, dict)
        assert {name: ",".join(dict.fromkeys(values)) for name, values in changes.items()} == wanted
