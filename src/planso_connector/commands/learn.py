"""`planso-connector learn`: learn from a browser's recording how a PlanSo saves, without a request to PlanSo."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from planso_connector.commands.console import err, fail, load_settings, out, print_table, report_errors, require_file
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.browser_comparison import BrowserComparison
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.learning import learn_profile
from planso_connector.planso.saving.recording import Recording, read_recording, require_accepted_writes
from planso_connector.planso.saving.redacted_har import redact_recording
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
        require_file(recording)
        target = out_file if out_file is not None else recording.with_name(DEFAULT_PROFILE_NAME)
        for file in filter(None, (target, redacted_file)):
            if file.exists() and not force:
                fail(f"{file} exists already; name another file or add --force.", code=2)
        try:
            profile = Profile.load(_find_profile(settings), settings.planso_table_id)
            content = read_recording(recording, profile, urlsplit(settings.planso_url).netloc)
            if redacted_file is not None:
                _write(redacted_file, redact_recording(content))
                err.print(f"{redacted_file}: the copy without personal data.")
            learned = learn_profile(content, require_accepted_writes(content, recording))
        except ValueError as error:
            fail(str(error))
        _write(target, learned.to_toml())
        _print_learned(content, learned)
        out.print(f"{target} is written. Name it in PLANSO_PROFILE, and see `planso-connector doctor`.")


def _find_profile(settings: Settings) -> Path | None:
    """The profile in use, whose labels apply. The setting may already name the file that is about to be written."""
    path = settings.planso_profile
    return path if path is not None and path.exists() else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror or error}.")


def _print_learned(recording: Recording, learned: LearnedProfile) -> None:
    rows = [(".".join((*one.table, one.key)), str(one.value), one.source) for one in learned.settings]
    print_table(rows, ("learned", "value", "seen in"))
    for comparison in learned.comparisons:
        out.print(_describe_comparison(comparison))
    refused = sum(write.is_refused for write in recording.writes)
    if refused:
        out.print(f"PlanSo refused {refused} of the saves in the recording; they were learned from as refusals.")
    for sentence in learned.assumptions:
        out.print(f"assumed: {sentence}")
    for sentence in learned.warnings:
        out.print(f"look: {sentence}", style="yellow")


def _describe_comparison(comparison: BrowserComparison) -> str:
    """With names and labels of controls, and without their values, which may be personal data."""
    write = comparison.write
    sent = "the whole form" if comparison.sends == "whole" else "what changed"
    equal = f"{comparison.equal_count} controls as we would"
    text = f"entry {write.entry.number}, {write.action}: the browser sent {sent}; {equal}"
    differences = []
    for difference in comparison.differences:
        label = f"'{difference.label}' " if difference.label else ""
        differences.append(f"{label}({difference.name}) {difference.reason}")
    return f"{text}. Otherwise: {'; '.join(differences)}." if differences else f"{text}, none otherwise."
