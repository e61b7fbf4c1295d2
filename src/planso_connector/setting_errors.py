"""What a wrong setting would have to be, in the words of this project."""

import re
from datetime import timedelta

from pydantic import ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_KINDS: dict[object, str] = {
    int: "a whole number",
    int | None: "a whole number",
    float: "a number",
    bool: "yes or no",
    ByteSize: "a size in bytes, or such as 4 MB,",
    timedelta: "a time such as 5 min,",
}
"""What a setting of this type accepts, in words that its bounds may follow."""


def describe_error(error: ErrorDetails, info: FieldInfo) -> str:
    """What is accepted, from the field's bounds and pattern."""
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    names = ("pattern", "ge", "gt", "le")
    bounds = {name: getattr(item, name) for item in info.metadata for name in names if hasattr(item, name)}
    if bounds.get("pattern"):
        choices = re.fullmatch(r"\^\((.+)\)\$", bounds["pattern"])
        return (
            f"accepted: {choices[1].replace('|', ', ')}" if choices else f"accepted: what matches {bounds['pattern']}"
        )
    kind = _KINDS.get(info.annotation)
    if kind is None:
        return f"accepted: {info.description}"
    words = {"ge": "from", "gt": "above", "le": "to"}
    return f"accepted: {kind} {' '.join(f'{words[name]} {bounds[name]}' for name in words if name in bounds)}".rstrip()
