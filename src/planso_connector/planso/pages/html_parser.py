"""HTML of PlanSo, parsed: one place that bounds it and knows Lexbor's options."""

from __future__ import annotations

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from planso_connector.planso.pages.markup_bounds import check_markup


def parse_html(content: str) -> LexborHTMLParser:
    """
    Raises PageTooLarge. Without mutation events: with them each option asks all others of its select, and 28,000
    options take 4 s in place of 20 ms (selectolax issue 221).
    """
    check_markup(content)
    return LexborHTMLParser(content, options=LexborDocumentOptions.WO_EVENTS)
