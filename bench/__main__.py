"""`make bench`: run every measurement and print what it found. `python -m bench NAME ...`: only these."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench import memory, mirror, overload, reading, sync, writes

MEASURES = {
    "form": reading.form_against_beautifulsoup,
    "rivals": mirror.against_rivals,
    "misheard": mirror.misheard,
    "longest": mirror.longest,
    "beside": mirror.beside_a_sync,
    "start": mirror.start,
    "write": writes.put_against_straight,
    "accept": writes.accepted_against_commits,
    "full": sync.full_against_floor_and_plain,
    "unchanged": sync.unchanged,
    "memory": memory.during_a_sync,
    "overload": overload.without_limits,
    "limits": overload.with_limits,
}


COMPILED = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(__file__).parents[1] / ".bench" / "compiled"),
}
"""As installed: a start compiles nothing, also where Python is told to compile everything anew each time."""


def main() -> None:
    os.environ.update(COMPILED)
    chosen = sys.argv[1:] or MEASURES
    unknown = set(chosen) - set(MEASURES)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: accepted: {', '.join(MEASURES)}")
    for name in chosen:
        print(MEASURES[name](), flush=True)


main()
