"""`make bench`: run every measurement and print what it found."""

from __future__ import annotations

from bench import reading, requests, sync


def main() -> None:
    for measure in (
        reading.form_against_beautifulsoup,
        requests.look_up_against_bare,
        requests.write_against_straight,
        sync.full_against_floor,
        sync.unchanged,
    ):
        print(measure(), flush=True)


main()
