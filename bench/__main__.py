"""`make bench`: run every measurement and print what it found."""

from __future__ import annotations

from bench import reading, requests


def main() -> None:
    for measure in (reading.form_against_beautifulsoup, requests.look_up_against_bare, requests.write_against_straight):
        print(measure())


main()
