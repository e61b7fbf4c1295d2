"""Where saves go: the address and what travels beside the form, for each kind of save."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from planso_connector.sandbox.save_style import SaveStyle

SaveAction = Literal["update", "insert", "delete"]
SAVE_ACTIONS: tuple[SaveAction, ...] = get_args(SaveAction)
ID_PLACEHOLDER, TOKEN_PLACEHOLDER, ANY_PLACEHOLDER = "{id}", "{token}", "{any}"
"""What stands in a template for the order's id, for the session's token, and for what differs each time."""


@dataclass(frozen=True)
class SaveCall:
    """One kind of save. Values are constants, or one of the three placeholders."""

    path: str
    query: Mapping[str, str]
    outer: Mapping[str, str]
    """In the body, beside the form."""
    headers: Mapping[str, str]
    also: Mapping[str, str] = field(default_factory=dict)
    """In the query as well, where the browser's page sends it; not looked at."""

    def matches(self, path: str, query: Mapping[str, str], outer: Mapping[str, str]) -> bool:
        """Whether a request is of this kind: its constants are there, and a number where the id belongs."""
        return path == self.path and _fits(self.query, query) and _fits(self.outer, outer)

    def order_id(self, query: Mapping[str, str], outer: Mapping[str, str]) -> str:
        """The id that a request of this kind names; `""` for none."""
        return next(iter(self._given(ID_PLACEHOLDER, query, outer, {})), "")

    def tokens(self, query: Mapping[str, str], outer: Mapping[str, str], headers: Mapping[str, str]) -> list[str]:
        """The tokens that came where one belongs, `""` for a missing one."""
        return self._given(TOKEN_PLACEHOLDER, query, outer, headers)

    def _given(self, what: str, *sent: Mapping[str, str]) -> list[str]:
        wanted = (self.query, self.outer, {name.lower(): value for name, value in self.headers.items()})
        return [
            given.get(name, "")
            for template, given in zip(wanted, sent, strict=False)
            for name, value in template.items()
            if value == what
        ]

    def as_json(self) -> dict[str, Any]:
        """For the browser's page."""
        return asdict(self)


SaveCalls = Mapping[SaveAction, SaveCall]


def _fits(template: Mapping[str, str], given: Mapping[str, str]) -> bool:
    for name, value in template.items():
        if value == ID_PLACEHOLDER and not given.get(name, "").isdigit():
            return False
        if value and value not in (ID_PLACEHOLDER, TOKEN_PLACEHOLDER, ANY_PLACEHOLDER) and given.get(name) != value:
            return False
    return True


def build_save_calls(style: SaveStyle, table_id: int) -> SaveCalls:
    """The calls of a style's address."""
    return {kind: _call(style, str(table_id), kind) for kind in SAVE_ACTIONS}


def _call(style: SaveStyle, table: str, kind: SaveAction) -> SaveCall:
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
