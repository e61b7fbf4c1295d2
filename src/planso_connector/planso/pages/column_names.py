"""
Find the columns of PlanSo's table in controls' `name` and `id`: whole (`shop_date`) or as the last part
(`f[shop_date]`, `25704_shop_date`). Source: the PlanSo protocol's section 9.

What precedes the column must have no meaning of its own: a table's id, or a common word such as `f` or `form`.
`Versicherung_Telefon` is another column than `Telefon`, and a name of digits alone is none.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from planso_connector.planso.pages.control import Control

_PREFIX = re.compile(
    r"(?:[a-z]+_)?\d+|f|fs|fld|fields?|feld|form|data|ps|rs|rsp|input|ctl|col|cols|column|edit|row|values?|rec|record"
    r"|vehicle_details|vehicle|order|auftrag|project|projekt|visual_forms?|plain"
)
_MAX_NAME_LENGTH = 300


def candidate_columns(name: str) -> Iterator[str]:
    """The columns, in lower case, that a `name` or `id` may hold; the whole name first."""
    if len(name) > _MAX_NAME_LENGTH:
        return
    column = name.casefold().removesuffix("[]")
    if column.endswith("]"):
        outer, _, column = column[:-1].rpartition("[")
        if not all(_PREFIX.fullmatch(part) for part in outer.replace("]", "").split("[") if part):
            return
    if column.isdecimal():
        return
    yield column
    end = column.find("_")
    while end > 0:
        if _PREFIX.fullmatch(column[:end]):
            yield column[end + 1 :]
        end = column.find("_", end + 1)


def group_by_column(controls: Iterable[Control], columns: Collection[str]) -> dict[str, list[Control]]:
    """
    The sent controls of each of these columns (in lower case), by `name`, else by `id`. A column that several names
    hold is left out: which is meant can't be known.
    """
    groups: dict[str, list[Control]] = {}
    # Most names end in a digit, as no column does: this passes over them quickly.
    endings = {"]", *(column[-1] for column in columns), *(column[-1].upper() for column in columns)}
    for control in controls:
        name, html_id = control.name, control.id
        if not control.is_sent or (name[-1] not in endings and (not html_id or html_id[-1] not in endings)):
            continue
        candidates = (column for text in (name, html_id) for column in candidate_columns(text))
        column = next((column for column in candidates if column in columns), None)
        if column is not None:
            groups.setdefault(column, []).append(control)
    return {column: group for column, group in groups.items() if len({control.name for control in group}) == 1}
