"""A registered workshop's own settings over those of the process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from planso_connector.configuration import check_workshop, load_profile, save_style_origin, workshop_settings
from planso_connector.domain.clock import Instant
from planso_connector.domain.errors import Invalid
from planso_connector.domain.workshop import Workshop
from planso_connector.settings import WORKSHOP_SETTINGS, Settings

BASE = Settings(_env_file=None, planso_url="https://base.planso.de", connector_pending=9)
THEN = Instant("2026-11-23T12:00:00.000000Z")
WORKSHOP = Workshop("reit", "https://reit.planso.de", "anna", "", THEN, THEN, 1)


def test_the_workshops_own_values_go_first() -> None:
    """Address, login, table, profile and own settings are the workshop's, typed as the environment's."""
    own = {"CONNECTOR_SYNC_INTERVAL": "2 min", "CONNECTOR_SYNC_PARTS": "no", "PLANSO_MAX_ANSWER": "2 MB"}
    profile = '[labels]\nperson = "Halter"\n'
    workshop = replace(WORKSHOP, settings=own, profile=profile, table_id=77)

    settings = workshop_settings(BASE, workshop, "geheim")
    assert (settings.planso_url, settings.planso_user) == ("https://reit.planso.de", "anna")
    assert (settings.connector_workshop, settings.connector_pending) == ("reit", 9)
    assert (settings.connector_sync_interval, settings.connector_sync_parts) == (timedelta(minutes=2), False)
    assert settings.planso_max_answer == 2_000_000
    assert settings.secrets()[0] == "geheim"
    assert load_profile(settings).labels["person"] == ("Halter",)
    assert load_profile(settings).table_id == 77
    assert save_style_origin(settings) != save_style_origin(workshop_settings(BASE, WORKSHOP, "geheim"))
    changed = settings.model_copy(update={"connector_pending": 3})
    assert load_profile(changed).table_id == 77
    assert BASE.planso_url == "https://base.planso.de"


def test_every_setting_of_a_workshop_takes_its_default() -> None:
    """Each of the names is a setting, and the default of each is accepted as a workshop's own."""
    for name in WORKSHOP_SETTINGS:
        default = Settings.model_fields[name].default
        value = f"{int(default.total_seconds())} s" if isinstance(default, timedelta) else default
        settings = workshop_settings(BASE, replace(WORKSHOP, settings={name.upper(): value}), "")
        assert getattr(settings, name) == default


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"planso_url": "reit.planso.de"}, "planso_url: accepted: an address such as"),
        ({"planso_url": "http://reit.planso.de"}, "planso_url: accepted: https://"),
        ({"planso_url": ""}, "planso_url: accepted"),
        ({"planso_user": ""}, "planso_user: accepted"),
        ({"table_id": 0}, "table_id: accepted: a whole number from 1"),
        ({"profile": "labels = 1"}, "profile: profile: labels: accepted: a table"),
        ({"profile": "["}, "profile: profile is not TOML"),
        ({"profile": "#" * 50_001}, "profile: accepted: at most 50000 characters"),
        ({"settings": {"CONNECTOR_SYNC_HOURS": "immer"}}, "settings.CONNECTOR_SYNC_HOURS: .*accepted: hours"),
        ({"settings": {"CONNECTOR_SYNC_ZONE": "Ulm"}}, "settings.CONNECTOR_SYNC_HOURS: .*accepted: the name of a"),
        ({"settings": {"CONNECTOR_PENDING": 0}}, "settings.CONNECTOR_PENDING: accepted: a whole number from 1"),
        ({"settings": {"CONNECTOR_PENDING": [1]}}, "settings.CONNECTOR_PENDING: accepted: a whole number from 1"),
        ({"settings": {"CONNECTOR_WRITES": "vielleicht"}}, "settings.CONNECTOR_WRITES: accepted: on, shadow, off"),
        ({"settings": {"CONNECTOR_SYNC_INTERVAL": "bald"}}, "CONNECTOR_SYNC_INTERVAL: accepted: a time such as 30 s"),
        ({"settings": {"CONNECTOR_PORT": 80}}, "settings.CONNECTOR_PORT: a workshop has no such setting"),
        ({"settings": {"CONNECTOR_SYNC_HOUR": "x"}}, "Did you mean CONNECTOR_SYNC_HOURS"),
    ],
)
def test_what_is_not_accepted_is_named(given: dict[str, Any], named: str) -> None:
    """Each value is validated as the environment's setting; the message names it and what is accepted."""
    with pytest.raises(Invalid, match=named):
        check_workshop(BASE, replace(WORKSHOP, **given))


def test_all_problems_are_named_at_once() -> None:
    """Two wrong values are two problems."""
    with pytest.raises(Invalid) as raised:
        check_workshop(BASE, replace(WORKSHOP, planso_user="", settings={"CONNECTOR_PENDING": 0}))
    assert [problem.loc for problem in raised.value.problems] == [
        ("body", "planso_user"),
        ("body", "settings", "CONNECTOR_PENDING"),
    ]
