"""Merge a write trial's result into the profile, unless the profile changed since. Pure."""

import hashlib
import json
from dataclasses import asdict, replace

from planso_connector.domain.saving.style_status import TrialOutcome
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.save_style import SaveStyle


def fingerprint_profile(profile: Profile, url: str) -> str:
    """
    A hash of all that decides how this PlanSo is saved to: its address, the table, the form's call and `[save]`.
    Settings with their default are left out, so that a release with more settings computes the same.
    """
    default = asdict(SaveStyle())
    style = {key: value for key, value in asdict(profile.save).items() if key != "source" and value != default[key]}
    calls = [profile.calls.form, profile.calls.form_call_back_class]
    paths = [profile.paths.app, profile.paths.do]
    parts = [url.strip().rstrip("/").casefold(), profile.table_id, calls, paths, style]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def apply_trial(profile: Profile, url: str, trial: TrialOutcome | None) -> Profile:
    """The profile with the style that the trial found; unchanged where the trial was made with another profile."""
    if trial is None or not trial.is_clean or trial.profile != fingerprint_profile(profile, url):
        return profile
    style = replace(profile.save, known=tuple(dict.fromkeys((*profile.save.known, *trial.known))))
    if trial.sends == "changed" and style.sends == "whole":
        style = replace(style, sends="changed", always=trial.always, unchecked=trial.unchecked)
    return replace(profile, save=style)
