"""What a trial found, put into a profile; and the fingerprint by which it is known for which profile it holds. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from typing import Any

from planso_connector.domain.saving.style_status import TrialOutcome
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.save_style import SaveStyle


def fingerprint_profile(profile: Profile, url: str) -> str:
    """
    Of all that decides how this PlanSo is saved to: its address, the table, the form's call and `[save]`. Labels are
    no part of it, nor what stands as it does in every profile, so that a version with more keys finds the same.
    """
    usual = SaveStyle()
    style: dict[str, Any] = {
        key.name: _plain(getattr(profile.save, key.name))
        for key in fields(SaveStyle)
        if key.name != "source" and getattr(profile.save, key.name) != getattr(usual, key.name)
    }
    calls = [profile.calls.form, profile.calls.form_call_back_class]
    paths = [profile.paths.app, profile.paths.do]
    parts = [url.strip().rstrip("/").casefold(), profile.table_id, calls, paths, style]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def apply_trial(profile: Profile, url: str, trial: TrialOutcome | None) -> Profile:
    """The profile with what a trial found that was made with it; as it is where the trial holds for another one."""
    if trial is None or not trial.is_clean or trial.profile != fingerprint_profile(profile, url):
        return profile
    style = replace(profile.save, known=tuple(dict.fromkeys((*profile.save.known, *trial.known))))
    if trial.sends == "changed" and style.sends == "whole":
        style = replace(style, sends="changed", always=trial.always, unchecked=trial.unchecked)
    return replace(profile, save=style)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
