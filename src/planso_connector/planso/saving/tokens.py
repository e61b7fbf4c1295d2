"""Where the values come from that must go along with a save: the form's answer, a page of PlanSo, a cookie. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.markup import FormMarkup
from planso_connector.planso.saving.save_response import format_scalar, get_member
from planso_connector.planso.saving.save_style import SaveStyle


def extract_form_tokens(style: SaveStyle, answer: Mapping[str, Any], page: FormMarkup) -> dict[str, str]:
    """The tokens that stand in the answer that brought a form: in its JSON, or in hidden inputs of the form."""
    found: dict[str, str] = {}
    for token in style.tokens:
        if token.origin == "answer":
            value = format_scalar(get_member(answer, token.key))
        elif token.origin == "form":
            value = next((control.value for control in page.controls if control.name == token.key), "")
        else:
            continue
        if value:
            found[token.name] = value
    return found


def extract_page_values(content: str) -> dict[tuple[str, str], str]:
    """A page's `<meta name= content=>` and inputs with a value, as `("meta" | "input", name)` to value."""
    found: dict[tuple[str, str], str] = {}
    tree = parse_html(content)
    for kind, selector, held in (("meta", "meta[name]", "content"), ("input", "input[name]", "value")):
        for node in tree.css(selector):
            name, value = node.attributes.get("name"), node.attributes.get(held)
            if name and value:
                found.setdefault((kind, name), value)
    return found
