"""`python -m tests.dialogues [WORD ...]`: play all dialogues, or those whose names have a word, and print a table."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from planso_connector import logs
from tests.dialogues.dialogue import FOLDER, load
from tests.dialogues.playing import Played, play
from tests.dialogues.workshop import opened


def main(words: list[str], folder: Path = FOLDER) -> int:
    logs.configure("error", [])
    dialogues = load(folder)
    chosen = [one for one in dialogues if not words or any(word in one.name for word in words)]
    began = time.process_time()
    with tempfile.TemporaryDirectory() as place, opened(Path(place), dialogues) as workshop:
        played = [_show(play(workshop, dialogue), verbose=bool(words)) for dialogue in chosen]
    failed = sum(bool(one.faults) for one in played)
    sys.stdout.write(f"{len(played) - failed} of {len(played)} dialogues, {time.process_time() - began:.1f} s CPU\n")
    return 1 if failed else 0


def _show(played: Played, *, verbose: bool) -> Played:
    sys.stdout.write(f"{'FAILED' if played.faults else 'ok':7}{played.dialogue.name}\n")
    if verbose:
        for turn, answer in zip(played.dialogue.turns, played.answers, strict=False):
            sys.stdout.write(
                f"        > {turn.caller}\n        {turn.tool} {dict(turn.arguments)}\n        < {answer}\n"
            )
    for fault in played.faults:
        sys.stdout.write(f"        {fault}\n")
    return played


if __name__ == "__main__":
    arguments = sys.argv[1:]
    place = Path(arguments.pop(0)) if arguments and Path(arguments[0]).is_dir() else FOLDER
    sys.exit(main(arguments, place))
