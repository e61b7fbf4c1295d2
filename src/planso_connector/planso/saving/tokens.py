"""Extract the values that a save must carry: from a form, from the response that brought it, from a page. Pure."""

from collections.abc import Mapping
from typing import Any

from planso_connector.planso.pages.html_parser import parse_html
from planso_connector.planso.pages.markup import FormMarkup
from planso_connector.planso.saving.save_response import format_scalar, get_member
from planso_connector.planso.saving.save_style import SaveStyle


def extract_form_tokens(style: SaveStyle, answer: Mapping[str, Any], markup: FormMarkup) -> dict[str, str]:
    """The style's tokens from the JSON response that brought a form, and from the form's hidden inputs, by name."""
    values: dict[str, str] = {}
    for token in style.tokens:
        if token.origin == "answer":
            values[token.name] = format_scalar(get_member(answer, token.key))
        elif token.origin == "form":
            named = (control.value for control in markup.controls if control.name == token.key)
            values[token.name] = next(named, "")
    return {name: value for name, value in values.items() if value}


def extract_page_values(content: str) -> dict[tuple[str, str], str]:
    """A page's `<meta name= content=>` and inputs with a value, as `("meta" | "input", name)` to value."""
    values: dict[tuple[str, str], str] = {}
    tree = parse_html(content)
    for kind, selector, attribute in (("meta", "meta[name]", "content"), ("input", "input[name]", "value")):
        for node in tree.css(selector):
            name, value = node.attributes.get("name"), node.attributes.get(attribute)
            if name and value:
                values.setdefault((kind, name), value)
    return values
