"""The tools' definitions, as models and platforms read them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from planso_connector.agents.tool import Tool
from planso_connector.agents.toolbox import TOOLS, list_tools
from planso_connector.domain.caller import Caller
from planso_connector.domain.scopes import Scope
from tests.agents.tool_snapshots import COMMAND, FOLDER, describe

MAX_TOOLS = 8
every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def test_no_definition_changes_unnoticed() -> None:
    """Each is held by a file. If the change is meant: run the command, and say in the changelog which tool it is."""
    held = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert held == {name: describe(tool) for name, tool in TOOLS.items()}, COMMAND


def test_there_are_few() -> None:
    """More confuse a model in the middle of a call."""
    assert len(TOOLS) <= MAX_TOOLS


@every_tool
def test_a_name_suits_every_platform(tool: Tool[Any, Any]) -> None:
    """Letters and `_`, as all accept."""
    assert re.fullmatch("[a-z][a-z_]{1,39}", tool.name)
    assert tool.title


@every_tool
def test_a_description_says_when_to_use_it_and_when_not(tool: Tool[Any, Any]) -> None:
    """With what callers say, in German; within the 1024 characters that OpenAI and Vapi accept."""
    assert 200 < len(tool.description) <= 1024
    assert re.search(r'"[A-ZÄÖÜ][^"]+[?.!]?"', tool.description), "an example of what a caller says"
    assert re.search(r"\b[Uu]se it\b", tool.description)
    assert re.search(r"\b[Dd]o not\b", tool.description)


@every_tool
def test_arguments_are_flat_and_described(tool: Tool[Any, Any]) -> None:
    """Each is one text, number or flag, bounded, with a description; none has a name that a platform's shape uses."""
    for name, argument in tool.input_schema["properties"].items():
        assert argument["type"] in ("string", "integer", "number", "boolean"), name
        assert argument["description"], name
        assert argument["type"] != "string" or "maxLength" in argument or "enum" in argument, name
        assert "title" not in argument, name
        assert name not in ("args", "parameters", "message", "call", "conversation_id", "call_id")


@every_tool
def test_an_answer_begins_with_what_is_said(tool: Tool[Any, Any]) -> None:
    """`say`, then `ok`; only these two are always there."""
    schema = tool.output_schema
    assert list(schema["properties"])[:2] == ["say", "ok"]
    assert schema["required"] == ["say", "ok"]
    assert all(member.get("description") for member in schema["properties"].values())


def test_a_caller_sees_the_tools_that_it_may_use() -> None:
    """By the scopes of its key; an admin all of them."""
    for scope in Scope:
        listed = list_tools(Caller("0123456789", "agent", frozenset({scope})))
        allowed = [tool for tool in TOOLS.values() if scope in tool.scopes or scope is Scope.ADMIN]
        assert listed == allowed, scope
