"""
Generate the tables of the docs from the code; with `--check`, only report the pages whose tables are out of date.

A table is between `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from pydantic import ByteSize, SecretStr

from planso_connector.agents.mcp.prompts import PROMPTS
from planso_connector.agents.tool_answer import REASON_DESCRIPTIONS
from planso_connector.agents.toolbox import TOOLS
from planso_connector.domain.events import EVENT_DESCRIPTIONS
from planso_connector.domain.fields import APPEND_FIELDS, APPOINTMENT_PATHS, FIELDS, FieldKind, OrderField, RequestKind
from planso_connector.domain.planso_columns import COLUMNS
from planso_connector.domain.scopes import SCOPE_DESCRIPTIONS
from planso_connector.rest.middleware.route_scopes import REQUIRED_SCOPES, RequiredScopes
from planso_connector.rest.schemas.errors import STATUS_DESCRIPTIONS
from planso_connector.sandbox import Knobs, SaveStyle
from planso_connector.settings import WORKSHOP_SETTINGS, Settings

ROOT = Path(__file__).resolve().parent.parent
MARKERS = re.compile(r"(<!-- table: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def _list_requests(field: OrderField) -> str:
    if field.accepted_in is RequestKind.NONE:
        return "answers"
    verbs = {"PUT, PATCH": RequestKind.UPDATE, "POST": RequestKind.CREATE}
    return ", ".join(name for name, kind in verbs.items() if kind in field.accepted_in)


def _max_length(field: OrderField) -> str:
    return "" if field.kind in (FieldKind.NUMBER, FieldKind.ID, FieldKind.FLAG) else str(field.max_length)


def fields() -> str:
    rows = (
        (
            f"`{f.path}`",
            f.kind.value,
            _max_length(f),
            ", ".join(f.labels),
            ", ".join(COLUMNS.get(f.path, ())),
            _list_requests(f),
            f.meaning,
        )
        for f in (*FIELDS, *APPEND_FIELDS)
    )
    return _table(("field", "kind", "characters", "label in PlanSo", "column in PlanSo", "on", "meaning"), rows)


def _format_default(default: object) -> str:
    if isinstance(default, ByteSize):
        return f"{default / 1e6:g} MB"
    if not isinstance(default, timedelta):
        return str(default)
    if default < timedelta(minutes=1):
        return f"{default.total_seconds():g} s"
    minutes = default // timedelta(minutes=1)
    if minutes % 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 60 // 24} d"


def settings() -> str:
    rows = []
    for name, info in Settings.model_fields.items():
        default = (
            ""
            if isinstance(info.default, SecretStr) or info.default in (None, "")
            else f"`{_format_default(info.default)}`"
        )
        rows.append((f"`{name.upper()}`", default, info.description or ""))
    return _table(("setting", "default", "meaning"), rows)


def workshop_settings() -> str:
    return ", ".join(f"`{name.upper()}`" for name in WORKSHOP_SETTINGS) + "\n"


def statuses() -> str:
    return _table(("status", "meaning"), ((str(status), meaning) for status, meaning in STATUS_DESCRIPTIONS.items()))


def scopes() -> str:
    return _table(
        ("scope", "what it is for"), ((f"`{scope}`", meaning) for scope, meaning in SCOPE_DESCRIPTIONS.items())
    )


def routes() -> str:
    special: dict[RequiredScopes, str] = {None: "open to everyone", (): "open; more details with a key"}
    rows = (
        (f"`{route}`", special.get(required) or " or ".join(f"`{scope}`" for scope in required or ()))
        for route, required in REQUIRED_SCOPES.items()
    )
    return _table(("route", "scope"), rows)


def appointments() -> str:
    return ", ".join(f"`{field.path}`" for field in FIELDS if field.path in APPOINTMENT_PATHS) + "\n"


def events() -> str:
    return _table(("type", "meaning"), ((f"`{kind}`", meaning) for kind, meaning in EVENT_DESCRIPTIONS.items()))


def _describe(meanings: dict[str, str], defaults: dict[str, object]) -> str:
    rows = ((f"`{name}`", f"`{json.dumps(defaults[name])}`", meaning) for name, meaning in meanings.items())
    return _table(("name", "default", "meaning"), rows)


def save_styles() -> str:
    return _describe(SaveStyle.descriptions(), SaveStyle().as_json())


def knobs() -> str:
    return _describe(Knobs.descriptions(), Knobs().as_json() | {"save_style": {}})


def tools() -> str:
    rows = (
        (
            f"`{tool.name}`",
            tool.title,
            ", ".join(f"`{name}`" for name in tool.input_schema["properties"]),
            "reads" if tool.is_read_only else "overwrites" if tool.is_destructive else "adds",
            " or ".join(f"`{scope}`" for scope in tool.scopes),
        )
        for tool in TOOLS.values()
    )
    return _table(("tool", "what for", "arguments", "effect", "scope"), rows)


def reasons() -> str:
    return _table(("reason", "meaning"), ((f"`{reason}`", text) for reason, text in REASON_DESCRIPTIONS.items()))


def _show_prompt(name: str) -> str:
    prompt = next(prompt for prompt in PROMPTS if prompt.name == name)
    return f"```text\n{prompt.render().strip()}\n```\n"


TABLES: dict[str, Callable[[], str]] = {
    "fields": fields,
    "settings": settings,
    "workshop_settings": workshop_settings,
    "statuses": statuses,
    "scopes": scopes,
    "routes": routes,
    "appointments": appointments,
    "events": events,
    "save_styles": save_styles,
    "knobs": knobs,
    "tools": tools,
    "reasons": reasons,
    "phone_agent_de": lambda: _show_prompt("phone_agent_de"),
    "phone_agent_en": lambda: _show_prompt("phone_agent_en"),
}


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text("utf-8")
        fresh = MARKERS.sub(lambda m: m[1] + TABLES[m["name"]]() + m[3], text)
        if fresh != text:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(fresh, "utf-8")
    if stale:
        print(("out of date, run `make format`: " if check else "written: ") + ", ".join(stale))  # noqa: T201
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
