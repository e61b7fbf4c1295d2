"""
Columns of PlanSo's table behind the form, found in a control's `name` or `id`: whole (`shop_date`) or as the last part
(`f[shop_date]`, `25704_shop_date`). Source: the PlanSo protocol's section 9. Pure.

What stands before the column must say nothing by itself: a table's id, or a common word such as `f` or `form`.
`Versicherung_Telefon` is another column than `Telefon`, and a name of digits alone is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from planso_connector.planso.pages.control import Control

_BEFORE = re.compile(
    r"(?:[a-z]+_)?\d+|f|fs|fld|fields?|feld|form|data|ps|rs|rsp|input|ctl|col|cols|column|edit|row|values?|rec|record"
    r"|vehicle_details|vehicle|order|auftrag|project|projekt|visual_forms?|plain"
)

_LONGEST = 300
"""Letters of a name that may hold a column."""


def candidate_columns(name: str) -> Iterator[str]:
    """The columns, as keys, that a `name` or `id` may hold; the whole name first."""
    if len(name) > _LONGEST:
        return
    last = name.casefold().removesuffix("[]")
    if last.endswith("]"):
        outer, _, last = last[:-1].rpartition("[")
        before = outer.replace("]", "").split("[")
        if not all(_BEFORE.fullmatch(part) for part in before if part):
            return
    if last.isdecimal():
        return
    yield last
    at = last.find("_")
    while at > 0:
        if _BEFORE.fullmatch(last[:at]):
            yield last[at + 1 :]
        at = last.find("_", at + 1)


def group_by_column(controls: Iterable[Control], wanted: Collection[str]) -> dict[str, list[Control]]:
    """
    The sent controls of each wanted column (keys). A column that several names hold has none: which is meant can't be
    told. By `id` only where the `name` holds no wanted column.
    """
    found: dict[str, list[Control]] = {}
    # Most names end in a digit, as no column does: they are passed over quickly.
    endings = {"]", *(column[-1] for column in wanted), *(column[-1].upper() for column in wanted)}
    for control in controls:
        name, own_id = control.name, control.id
        if not control.is_sent or (name[-1] not in endings and (not own_id or own_id[-1] not in endings)):
            continue
        column = next((one for one in candidate_columns(name) if one in wanted), None)
        if column is None and own_id:
            column = next((one for one in candidate_columns(own_id) if one in wanted), None)
        if column is not None:
            found.setdefault(column, []).append(control)
    return {column: held for column, held in found.items() if len({control.name for control in held}) == 1}
