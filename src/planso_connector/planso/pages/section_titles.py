"""
Find the section titles above each control, and the party that a title names. A heading holds for what follows it in its
block, until the next one of its rank; a tab's title for the tab's pane.
"""

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
from planso_connector.planso.pages.nodes import find_ancestor, read_node_text
from planso_connector.planso.pages.text import clean_label, label_key

_RANKS = {"legend": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_LOWEST_RANK = 7
_MAX_TITLE_LENGTH = 60
_FAR = 1 << 60
"""A position behind every other."""
_TAB_WORD = re.compile("tab[s\"'=-]")
"""Without it a page has no tabs."""
_TAB_LINKS = (
    'a[href^="#"],a[data-tab],li[data-tab],button[data-tab],[data-target^="#"],[data-bs-target^="#"],[aria-controls]'
)
_TAB_TARGETS = ("data-tab", "aria-controls", "data-target", "data-bs-target", "href")


class Party(Enum):
    """Whose data a title is about."""

    CUSTOMER = "customer"
    OTHER = "other"


_CUSTOMER = re.compile(r"(?<!se)(?<!ur)kunde|(?<!sc)halter(?!ung)|fahrer(?!flucht)|auftraggeber|customer|driver|owner")
_OPPONENT = re.compile(r"gegner|schädiger|verursacher")
_OTHER = re.compile(
    r"versicher(?!ungsnehmer)|gutachter|sachverständig|anwalt|anwält|kanzlei|leasing(?:geber|gesellschaft|bank)"
    r"|mietwagen|leihwagen|ersatzwagen|ersatzfahrzeug|vermiet|abschlepp|lieferant|spedition"
    r"|zeuge|vermittler|makler|insurance|lawyer|adjuster"
)


def classify_party(title: str) -> Party | None:
    """The party that a title names; None for none, for both, and for a text too long to be a title."""
    return _classify(title) if len(title) <= MAX_LABEL_LENGTH else None


@lru_cache(maxsize=1024)
def _classify(title: str) -> Party | None:
    words = title.casefold()
    if _OPPONENT.search(words):
        return Party.OTHER
    customer, other = _CUSTOMER.search(words), _OTHER.search(words)
    if bool(customer) is bool(other):
        return None
    return Party.CUSTOMER if customer else Party.OTHER


@lru_cache(maxsize=1024)
def find_nearest_party(titles: tuple[str, ...]) -> Party | None:
    """The party that the first of the titles names which names one."""
    return next((found for found in map(classify_party, titles) if found is not None), None)


class _Title(NamedTuple):
    position: int
    rank: int
    text: str


class _BlockTitles:
    """The titles of one block in document order."""

    def __init__(self, titles: Sequence[_Title]) -> None:
        self._titles = titles
        self._positions = [title.position for title in titles]
        self._parents: list[int] = []
        """By title the index of the title of higher rank before it, -1 for none."""
        for index, title in enumerate(titles):
            parent = index - 1
            while parent >= 0 and titles[parent].rank >= title.rank:
                parent = self._parents[parent]
            self._parents.append(parent)

    def iterate_above(self, position: int) -> Iterator[str]:
        """The titles that hold at a position, the nearest first."""
        index = bisect_left(self._positions, position) - 1
        while index >= 0:
            yield self._titles[index].text
            index = self._parents[index]

    def find_range(self, position: int) -> tuple[int, int]:
        """The positions of the titles before and after it."""
        index = bisect_left(self._positions, position)
        after = self._positions[index] if index < len(self._positions) else _FAR
        return self._positions[index - 1] if index else -2, after


def may_have_tabs(source: str) -> bool:
    """A cheap test, since every form is searched for tabs."""
    return _TAB_WORD.search(source) is not None


class SectionTitles:
    """A page's titles by the block that they hold for."""

    def __init__(self, tree: FormTree, source: str) -> None:
        titles: dict[int, list[_Title]] = defaultdict(list)
        for position, node in tree.titles:
            block, text = _find_block(tree, node)
            if block is not None:
                titles[block].append(_Title(position, _RANKS.get(node.tag or "", _LOWEST_RANK), text))
        if may_have_tabs(source):
            _add_tab_titles(tree, titles)
        self._blocks = {block: _BlockTitles(found) for block, found in titles.items()}
        self._found: dict[int, tuple[int, int, tuple[str, ...]]] = {}
        """By a control's second ancestor: first and last position for which these titles hold."""

    def find_above(self, element: ControlElement) -> tuple[str, ...]:
        """The titles above a control, the nearest first."""
        if not self._blocks:
            return ()
        # Fields of one section have blocks of their own beside each other: look up what is around those once.
        outer, block = element.ancestors[-2:]
        if block not in self._blocks:
            found = self._found.get(outer)
            if found is not None and found[0] < element.position < found[1]:
                return found[2]
        blocks = [self._blocks[ancestor] for ancestor in reversed(element.ancestors) if ancestor in self._blocks]
        titles = tuple(text for titles in blocks for text in titles.iterate_above(element.position))
        if block not in self._blocks:
            ranges = [titles.find_range(element.position) for titles in blocks] or [(-2, _FAR)]
            self._found[outer] = max(first for first, _ in ranges), min(last for _, last in ranges), titles
        return titles


def _add_tab_titles(tree: FormTree, titles: dict[int, list[_Title]]) -> None:
    names: dict[str, str] = {}
    for node in tree.root.css(_TAB_LINKS):
        target = next(filter(None, map(node.attributes.get, _TAB_TARGETS)), None)
        text = clean_label(read_node_text(node))
        if target and text and len(text) <= _MAX_TITLE_LENGTH and node.mem_id not in tree.control_ancestors:
            names.setdefault(target.removeprefix("#"), text)
    for node in tree.root.css("[id],[data-tab]"):
        name = names.get(node.attributes.get("data-tab") or "") or names.get(node.attributes.get("id") or "")
        if name and node.mem_id in tree.control_ancestors:
            titles[node.mem_id].insert(0, _Title(-1, -1, name))


def _find_block(tree: FormTree, node: LexborNode) -> tuple[int | None, str]:
    """The block that a node is the title of, and its text; None for bold text or a header that is no title."""
    parent = node.parent
    is_outer = node.mem_id in tree.control_ancestors or node.mem_id in tree.label_ancestors
    if parent is None or parent.tag == "label" or is_outer:
        return None, ""
    text = clean_label(read_node_text(node))
    if not label_key(text) or len(text) > _MAX_TITLE_LENGTH:
        return None, ""
    if node.tag not in _RANKS and not _stands_alone(tree, node, parent, text):
        return None, ""
    block = parent if parent.mem_id in tree.control_ancestors else find_ancestor(parent, tree.control_ancestors)
    return (block.mem_id if block is not None else None), text


def _stands_alone(tree: FormTree, node: LexborNode, parent: LexborNode, text: str) -> bool:
    """Whether nothing else is in its block or row; in a block with controls it is a title if it names a party."""
    if parent.mem_id in tree.label_ancestors and node.tag not in ("div", "p", "td", "th"):
        return classify_party(text) is not None
    if parent.mem_id in tree.control_ancestors:
        return classify_party(text) is not None and not _names_control(tree, node)
    return node.tag not in ("td", "th", "strong", "b") or tree.read_title(parent) == text


def _names_control(tree: FormTree, node: LexborNode) -> bool:
    """Whether a control comes right after it, so that it is the control's name: `<b>Halter</b> <input>`."""
    after = node.next
    while after is not None and after.is_text_node and not (after.text_content or "").strip(" \t\r\n\xa0:"):
        after = after.next
    if after is None:
        return False
    is_block_of_one = after.mem_id in tree.control_ancestors and tree.control_counts[after.mem_id] == 1
    return after.mem_id in tree.controls_by_id or is_block_of_one
