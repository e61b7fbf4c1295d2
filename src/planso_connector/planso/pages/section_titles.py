"""
Titles of a form's sections: which headings a control stands under, and of whom they speak. A heading holds for what
follows it in its block, until the next one of its rank; a tab's title for the tab's pane.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.domain.fields import MAX_LABEL_LENGTH
from planso_connector.planso.pages.form_tree import ControlElement, FormTree
from planso_connector.planso.pages.node_text import read_node_text
from planso_connector.planso.pages.text import clean_label, label_key

_RANKS = {"legend": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_LEAST_RANK = 7
_LONGEST = 60
_TABS = re.compile("tab[s\"'=-]")
"""Without it a page has no tabs; cheap, since every form is searched for it."""
_TAB_LINKS = (
    'a[href^="#"],a[data-tab],li[data-tab],button[data-tab],[data-target^="#"],[data-bs-target^="#"],[aria-controls]'
)


class Party(Enum):
    """Of whom a title speaks."""

    CUSTOMER = "customer"
    OTHER = "other"


_CUSTOMER = re.compile(r"(?<!se)(?<!ur)kunde|(?<!sc)halter(?!ung)|fahrer(?!flucht)|auftraggeber|customer|driver|owner")
_OPPONENT = re.compile(r"gegner|schädiger|verursacher")
_OTHER = re.compile(
    r"versicher(?!ungsnehmer)|gutachter|sachverständig|anwalt|anwält|kanzlei|leasing(?:geber|gesellschaft|bank)"
    r"|mietwagen|leihwagen|ersatzwagen|ersatzfahrzeug|vermiet|abschlepp|lieferant|spedition"
    r"|zeuge|vermittler|makler|insurance|lawyer|adjuster"
)


@lru_cache(maxsize=1024)
def _party(title: str) -> Party | None:
    words = title.casefold()
    if _OPPONENT.search(words):
        return Party.OTHER
    customer, other = _CUSTOMER.search(words), _OTHER.search(words)
    if bool(customer) is bool(other):
        return None
    return Party.CUSTOMER if customer else Party.OTHER


def classify_party(title: str) -> Party | None:
    """The customer or somebody else; None for neither, for a title that names both, and for one too long to be one."""
    return _party(title) if len(title) <= MAX_LABEL_LENGTH else None


@lru_cache(maxsize=1024)
def find_nearest_party(titles: tuple[str, ...]) -> Party | None:
    """Of whom the nearest title speaks that names somebody."""
    return next((found for found in map(classify_party, titles) if found is not None), None)


class _Title(NamedTuple):
    position: int
    rank: int
    text: str


class _Block:
    """The titles of one block in the page's order, each with the one before it that it stands under."""

    def __init__(self, titles: Sequence[_Title]) -> None:
        self._titles = titles
        self._positions = [title.position for title in titles]
        self._outer: list[int] = []
        for at, title in enumerate(titles):
            outer = at - 1
            while outer >= 0 and titles[outer].rank >= title.rank:
                outer = self._outer[outer]
            self._outer.append(outer)

    def above(self, position: int) -> Iterator[str]:
        at = bisect_left(self._positions, position) - 1
        while at >= 0:
            yield self._titles[at].text
            at = self._outer[at]

    def around(self, position: int) -> tuple[int, int]:
        """The positions of the titles before and after it."""
        at = bisect_left(self._positions, position)
        before = self._positions[at - 1] if at else -2
        return before, self._positions[at] if at < len(self._positions) else 1 << 60


class SectionTitles:
    """The titles of a page by the block that they hold for."""

    def __init__(self, tree: FormTree, source: str) -> None:
        found_in: dict[int, list[_Title]] = defaultdict(list)
        self._above: dict[int, tuple[int, int, tuple[str, ...]]] = {}
        """By a control's second ancestor: between which positions the titles hold, and these."""
        for position, node in tree.titles:
            found = _title(tree, position, node)
            if found is not None:
                found_in[found[0]].append(found[1])
        if _TABS.search(source):
            _read_tabs(tree, found_in)
        self._by_block = {block: _Block(titles) for block, titles in found_in.items()}

    def above(self, element: ControlElement) -> tuple[str, ...]:
        """The titles that a control stands under, the nearest first."""
        if not self._by_block:
            return ()
        # Fields of one section stand in blocks of their own beside each other: what is around those is looked up once.
        around, block = element.trail[-2:]
        if block not in self._by_block:
            known = self._above.get(around)
            if known is not None and known[0] < element.position < known[1]:
                return known[2]
        found = [self._by_block[one] for one in reversed(element.trail) if one in self._by_block]
        above = tuple(text for titles in found for text in titles.above(element.position))
        if block not in self._by_block:
            beside = [titles.around(element.position) for titles in found]
            first, last = max((one for one, _ in beside), default=-2), min((one for _, one in beside), default=1 << 60)
            self._above[around] = first, last, above
        return above


def _read_tabs(tree: FormTree, found_in: dict[int, list[_Title]]) -> None:
    named: dict[str, str] = {}
    for node in tree.root.css(_TAB_LINKS):
        attributes = node.attributes
        target = attributes.get("data-tab") or attributes.get("aria-controls")
        target = target or attributes.get("data-target") or attributes.get("data-bs-target") or attributes.get("href")
        text = clean_label(read_node_text(node))
        if target and text and len(text) <= _LONGEST and node.mem_id not in tree.holding:
            named.setdefault(target.removeprefix("#"), text)
    for node in tree.root.css("[id],[data-tab]"):
        title = named.get(node.attributes.get("data-tab") or "") or named.get(node.attributes.get("id") or "")
        if title and node.mem_id in tree.holding:
            found_in[node.mem_id].insert(0, _Title(-1, -1, title))


def _title(tree: FormTree, position: int, node: LexborNode) -> tuple[int, _Title] | None:
    """The block that a node is the title of; None where it is no title: a word in bold, a head over a column."""
    tag, parent = node.tag or "", node.parent
    if parent is None or parent.tag == "label" or node.mem_id in tree.holding or node.mem_id in tree.labelling:
        return None
    text = clean_label(read_node_text(node))
    if not label_key(text) or len(text) > _LONGEST:
        return None
    if tag not in _RANKS and not _stands_alone(tree, node, parent, text):
        return None
    while parent.mem_id not in tree.holding:
        node, parent = parent, parent.parent
        if parent is None:
            return None
    return parent.mem_id, _Title(position, _RANKS.get(tag, _LEAST_RANK), text)


def _stands_alone(tree: FormTree, node: LexborNode, parent: LexborNode, text: str) -> bool:
    """Whether nothing else is in its block or row; in a block with controls it is a title if it names somebody."""
    if parent.mem_id in tree.labelling and node.tag not in ("div", "p", "td", "th"):
        return classify_party(text) is not None
    if parent.mem_id in tree.holding:
        return classify_party(text) is not None and not _names_control(tree, node)
    if node.tag in ("td", "th", "strong", "b"):
        return tree.shown(parent) == text
    return True


def _names_control(tree: FormTree, node: LexborNode) -> bool:
    """Whether a control comes right after it, so that it is the control's name: `<b>Halter</b> <input>`."""
    following = node.next
    while following is not None and following.is_text_node and not (following.text_content or "").strip(" \t\r\n\xa0:"):
        following = following.next
    if following is None:
        return False
    return following.mem_id in tree.by_id or (following.mem_id in tree.holding and tree.counts[following.mem_id] == 1)
