"""Load and save the state file, which holds the changes since the workshop was invented (`--state FILE`)."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planso_connector.sandbox.orders import SandboxOrder

_FORMAT = 1


class StateFileError(Exception):
    """The state file is damaged, or was made with other settings."""


@dataclass
class SavedState:
    """`changed`: orders that are new or differ from the invented ones. `gone`: ids of deleted ones."""

    changed: dict[int, SandboxOrder]
    gone: set[int]
    next_id: int


def load_state(path: Path, made_with: dict[str, Any]) -> SavedState | None:
    """The state in the file; None without a file. Raises `StateFileError`."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StateFileError(f"The state file {path} can't be read: {error}") from error
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        orders = [SandboxOrder.from_json(entry) for entry in content["changed"]]
        state = SavedState(
            {order.id: order for order in orders}, {int(gone) for gone in content["gone"]}, int(content["next_id"])
        )
        settings = dict(content["made_with"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateFileError(
            f"The state file {path} is damaged ({type(error).__name__}: {error}). Repair or remove it."
        ) from error
    if settings != made_with:
        differs = ", ".join(name for name in made_with if settings.get(name) != made_with[name])
        raise StateFileError(f"The state file {path} was made with other settings ({differs}). Name another file.")
    return state


def save_state(path: Path, state: SavedState, made_with: dict[str, Any]) -> None:
    """Replace the file atomically."""
    content = {
        "format": _FORMAT,
        "made_with": made_with,
        "next_id": state.next_id,
        "gone": sorted(state.gone),
        "changed": [order.as_json() for order in state.changed.values()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
