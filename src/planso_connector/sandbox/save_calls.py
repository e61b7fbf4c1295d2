"""The request of each kind of save: its address, and its parameters besides the form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from planso_connector.sandbox.save_style import SaveStyle

SaveAction = Literal["update", "insert", "delete"]
SAVE_ACTIONS: tuple[SaveAction, ...] = get_args(SaveAction)
ID_PLACEHOLDER, TOKEN_PLACEHOLDER, ANY_PLACEHOLDER = "{id}", "{token}", "{any}"
"""In a template: the order's id, the session's token, a value that differs each time."""


@dataclass(frozen=True)
class SaveCall:
    """The template of one kind of save. Values are constants or placeholders."""

    path: str
    query: Mapping[str, str]
    outer: Mapping[str, str]
    """Parameters of the body besides the form."""
    headers: Mapping[str, str]
    also: Mapping[str, str] = field(default_factory=dict)
    """Parameters that the browser's page adds to the query, and that are not checked."""

    def matches(self, path: str, query: Mapping[str, str], outer: Mapping[str, str]) -> bool:
        """Whether a request is of this kind: the constants are equal, and the id is a number."""
        return path == self.path and _matches(self.query, query) and _matches(self.outer, outer)

    def order_id(self, query: Mapping[str, str], outer: Mapping[str, str]) -> str:
        """The order's id in a request of this kind; "" for none."""
        return next(iter(self._given(ID_PLACEHOLDER, query, outer, {})), "")

    def tokens(self, query: Mapping[str, str], outer: Mapping[str, str], headers: Mapping[str, str]) -> list[str]:
        """The token in each place where one is required, "" for a missing one."""
        return self._given(TOKEN_PLACEHOLDER, query, outer, headers)

    def _given(self, what: str, *sent: Mapping[str, str]) -> list[str]:
        wanted = (self.query, self.outer, {name.lower(): value for name, value in self.headers.items()})
        return [
            sent_values.get(name, "")
            for template, sent_values in zip(wanted, sent, strict=False)
            for name, value in template.items()
            if value == what
        ]

    def as_json(self) -> dict[str, Any]:
        """For `planso.js`."""
        return asdict(self)


SaveCalls = Mapping[SaveAction, SaveCall]


def _matches(template: Mapping[str, str], sent_values: Mapping[str, str]) -> bool:
    for name, value in template.items():
        if value == ID_PLACEHOLDER and not sent_values.get(name, "").isdigit():
            return False
        if (
            value
            and value not in (ID_PLACEHOLDER, TOKEN_PLACEHOLDER, ANY_PLACEHOLDER)
            and sent_values.get(name) != value
        ):
            return False
    return True


def build_save_calls(style: SaveStyle, table_id: int) -> SaveCalls:
    """The calls of a style by action."""
    return {kind: _build_call(style, str(table_id), kind) for kind in SAVE_ACTIONS}


def _build_call(style: SaveStyle, table: str, kind: SaveAction) -> SaveCall:
    order_id = "" if kind == "insert" else ID_PLACEHOLDER
    where = {"submode": kind, "dataID": order_id}
    query = {"m": "visual_forms_plain", "tableID": table}
    outer, headers, also = dict[str, str](), dict[str, str](), dict[str, str]()
    if style.address == "query":
        query |= where
        also = {"call_back_class": "resourceplanner_single_project_wrapper", "callback": ""}
    elif style.address == "body":
        outer |= where
    else:
        query |= {"m": "visual_forms_save", "mode": kind, "id": order_id}
    for token in style.tokens:
        if token == "query":
            query[style.token_parameter] = TOKEN_PLACEHOLDER
        elif token == "parameter":
            outer[style.token_parameter] = TOKEN_PLACEHOLDER
        elif token == "header":
            headers[style.token_header] = TOKEN_PLACEHOLDER
    return SaveCall("/save" if style.address == "own" else "/do", query, outer, headers, also)
