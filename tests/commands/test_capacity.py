"""`planso-connector capacity`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from planso_connector.domain.capacity.capacity_document import WEEKDAYS
from tests.command_line import command_here

PAGE = Path(__file__).resolve().parents[2] / "docs/availability.md"


def test_the_capacity_of_the_docs_is_set_and_shown(tmp_path: Path) -> None:
    """The file that docs/availability.md shows is taken; a wrong one is named and changes nothing."""
    assert command_here(tmp_path, "migrate").exit_code == 0
    unset = command_here(tmp_path, "capacity", "show")
    assert (unset.exit_code, "capacity set FILE" in unset.stderr) == (1, True)
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "capacity.toml"
    file.write_text(toml, "utf-8")
    done = command_here(tmp_path, "capacity", "set", str(file))
    assert done.exit_code == 0, done.stderr
    shown = command_here(tmp_path, "capacity", "show").stdout
    for line in ("mo  karo 32.0, lack 16.0", "su  closed", "drop_off  per_day 8, per_slot 3", "Betriebsferien"):
        assert line in shown
    document = json.loads(command_here(tmp_path, "capacity", "show", "--json").stdout)
    assert document["weekdays"].keys() == set(WEEKDAYS) - {"su"}

    file.write_text("[weekdays]\nmontag = {}\n", "utf-8")
    wrong = command_here(tmp_path, "capacity", "set", str(file))
    assert (wrong.exit_code, "weekdays.montag: accepted: mo, tu" in wrong.stderr) == (2, True)
    assert json.loads(command_here(tmp_path, "capacity", "show", "--json").stdout) == document
