"""Tool definitions for phone platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from planso_connector.agents.export import DEFAULT_URL, KEY_PLACEHOLDER, Platform, export_tools
from planso_connector.agents.toolbox import TOOLS
from tests.agents.platform_shapes import SHAPES
from tests.command_line import command_here


@pytest.mark.parametrize("platform", list(Platform))
def test_every_tool_has_the_platforms_shape(platform: Platform) -> None:
    """With no member that its documentation does not name, and every argument of the tool."""
    definitions = export_tools(platform, TOOLS.values(), "https://reit.example/")
    shape = jsonschema_rs.validator_for(SHAPES[platform])
    for tool, definition in zip(TOOLS.values(), definitions, strict=True):
        assert [str(error) for error in shape.iter_errors(definition)] == []
        parameters = _find(definition, "properties")
        assert list(parameters) == list(tool.input_schema["properties"])
        text = json.dumps(definition)
        assert tool.name in text
        assert platform is Platform.OPENAI or f"https://reit.example/tools/{tool.name}" in text
        assert "$ref" not in text


def test_address_and_key_are_left_to_fill_in() -> None:
    """Without an address there is a placeholder; no key is ever printed."""
    for platform in (Platform.VAPI, Platform.RETELL):
        text = json.dumps(export_tools(platform, TOOLS.values()))
        assert DEFAULT_URL in text
        assert KEY_PLACEHOLDER in text


def test_the_command_prints_what_is_imported(tmp_path: Path) -> None:
    """JSON alone on standard output; a platform that is not known is an error that names those that are."""
    done = command_here(tmp_path, "tools", "export", "--for", "retell", "--url", "https://reit.example")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == export_tools(Platform.RETELL, TOOLS.values(), "https://reit.example")
    wrong = command_here(tmp_path, "tools", "export", "--for", "fax")
    assert wrong.exit_code == 2
    assert all(platform in wrong.stderr for platform in Platform)


def _find(value: Any, member: str) -> dict[str, Any]:
    """The first object under this name that has descriptions."""
    if isinstance(value, dict):
        if isinstance(value.get(member), dict):
            found: dict[str, Any] = value[member]
            return found
        for inner in value.values():
            if inner_found := _find(inner, member):
                return inner_found
    return {}
