"""`planso-connector learn`: how a PlanSo saves, from a browser's recording; PlanSo is not asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from rich.table import Table

from planso_connector.commands.console import err, fail, load_settings, out, report_errors
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.browser_comparison import BrowserComparison
from planso_connector.planso.saving.har import RecordingError
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.learning import learn_profile
from planso_connector.planso.saving.recording import Recording, read_recording, require_accepted_writes
from planso_connector.planso.saving.redaction import redact_recording
from planso_connector.settings import Settings

DEFAULT_PROFILE_NAME = "planso-profile.toml"


def learn(
    recording: Annotated[Path, typer.Argument(metavar="FILE.har", help="The network log that the browser exported.")],
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help=f"Where the profile goes; by default {DEFAULT_PROFILE_NAME} beside the recording."),
    ] = None,
    redacted_file: Annotated[
        Path | None,
        typer.Option("--redacted", help="Write a copy without personal data, passwords and cookies, to be sent to us."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """
    Learn from a recording how this PlanSo saves, and write a profile.

    A person logs in, opens an order, changes it and saves it in the browser, and exports the network log: see
    docs/learning.md.
    PlanSo is not asked, and nothing is sent anywhere.
    """
    with report_errors():
        settings = load_settings()
        target = out_file if out_file is not None else recording.with_name(DEFAULT_PROFILE_NAME)
        for file in filter(None, (target, redacted_file)):
            if file.exists() and not force:
                fail(f"{file} exists already; name another file or add --force.", code=2)
        try:
            profile = Profile.load(_own_profile(settings), settings.planso_table_id)
            found = read_recording(recording, profile, urlsplit(settings.planso_url).netloc)
            if redacted_file is not None:
                _write(redacted_file, redact_recording(found))
                err.print(f"{redacted_file}: the copy without personal data.", highlight=False, markup=False)
            lesson = learn_profile(found, require_accepted_writes(found, recording))
        except (RecordingError, ValueError) as error:
            fail(str(error))
        _write(target, lesson.to_toml())
        _show(found, lesson)
        out.print(f"{target} is written. Name it in PLANSO_PROFILE, and see `planso-connector doctor`.", markup=False)


def _own_profile(settings: Settings) -> Path | None:
    """The profile in use: its labels count. The one that is about to be written may be named already."""
    path = settings.planso_profile
    return path if path is not None and path.exists() else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror or error}.")


def _show(recording: Recording, lesson: LearnedProfile) -> None:
    table = Table(show_header=True, box=None, padding=(0, 2))
    for heading in ("learned", "value", "seen in"):
        table.add_column(heading)
    for fact in lesson.settings:
        name = ".".join((*fact.table, fact.key))
        value = fact.value if isinstance(fact.value, str) else str(fact.value)
        table.add_row(escape(name), escape(value), escape(fact.source))
    out.print(table)
    for comparison in lesson.comparisons:
        out.print(_compared(comparison), markup=False, highlight=False)
    refused = Counter(write.is_refused for write in recording.writes)[True]
    if refused:
        out.print(f"PlanSo refused {refused} of the saves in the recording; they were learned from as refusals.")
    for sentence in lesson.assumptions:
        out.print(f"assumed: {sentence}", markup=False, highlight=False)
    for sentence in lesson.warnings:
        out.print(f"look: {sentence}", style="yellow", markup=False, highlight=False)


def _compared(comparison: BrowserComparison) -> str:
    """Names of controls and labels only: what they hold is somebody's."""
    entry = comparison.write.entry.number
    differing = "; ".join(
        f"{f'{chr(39)}{one.label}{chr(39)} ' if one.label else ''}({one.name}) {one.reason}"
        for one in comparison.differences
    )
    sent = "the whole form" if comparison.sends == "whole" else "what changed"
    text = f"entry {entry}, {comparison.write.action}: the browser sent {sent}; {comparison.equal_count} controls as we would"
    return f"{text}. Otherwise: {differing}." if differing else f"{text}, none otherwise."
