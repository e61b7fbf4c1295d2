from __future__ import annotations

from pathlib import Path

import pytest

from planso_connector.domain.fields import BY_PATH, FIELDS
from planso_connector.domain.planso_columns import COLUMNS
from planso_connector.planso import profile as profile_module
from planso_connector.planso.profile import PART_HEADERS, PART_STATUSES, TAB_NAMES, Profile
from tests.planso.conftest import form_of


def test_the_built_in_file_says_what_the_table_of_fields_says() -> None:
    """The documented labels are those of `domain.fields`, every field is in the file, and nothing else is."""
    labels = profile_module.load_built_in()["labels"]

    assert labels == {field.path: field.labels for field in FIELDS}
    columns = profile_module.load_built_in()["columns"]
    assert {path: names for path, names in columns.items() if names} == COLUMNS
    written = (Path(profile_module.__file__).parent / profile_module.BUILT_IN_FILE).read_text(encoding="utf-8")
    assert all(f"{field.path} = " in written.replace('"', "") for field in FIELDS)


def test_the_built_in_file_leaves_nothing_open() -> None:
    """Every column and every status has words."""
    parts = Profile.load().parts

    assert set(parts.headers) == set(PART_HEADERS)
    assert set(parts.status_words) == set(PART_STATUSES)
    assert all(parts.headers.values())
    assert all(parts.status_words.values())


def test_each_tab_has_a_call_of_its_own() -> None:
    """The tabs of the protocol's section 5 that need no more than the order; each call ends in the tab's name."""
    tabs = Profile.load().calls.tabs

    assert tuple(tabs) == TAB_NAMES
    assert len(set(tabs.values())) == len(tabs) == 15
    assert all(call.startswith("resourceplanner_") and call.endswith(f"get_{tab}") for tab, call in tabs.items())


def test_a_file_replaces_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """A profile holds differences."""
    file = tmp_path / "reit.toml"
    file.write_text(
        'table_id = 7\n[labels]\nperson = "Kunde"\n"vehicle_details.vin" = ["FIN", "VIN"]\n'
        '[labels.vehicle]\nclass = ["Segment"]\n[calls]\nparts = "teile"\n[parts.headers]\nqty = ["Anzahl"]\n'
        '[calls.tabs]\nwork = "arbeit"\n',
        encoding="utf-8-sig",
    )

    profile = Profile.load(file)

    assert profile.table_id == 7
    assert profile.labels["person"] == ("Kunde",)
    assert profile.labels["vehicle.class"] == ("Segment",)
    assert profile.labels["phone"] == BY_PATH["phone"].labels
    assert (profile.calls.parts, profile.calls.board) == ("teile", Profile.load().calls.board)
    assert profile.calls.tabs == {**Profile.load().calls.tabs, "work": "arbeit"}
    assert profile.parts.headers["qty"] == ("Anzahl",)
    assert profile.parts.headers["description"] == Profile.load().parts.headers["description"]


def test_a_read_only_twin_follows_its_writable_field(tmp_path: Path) -> None:
    """`vehicle.vin` and `vehicle_details.vin` are one label in PlanSo; naming one is enough."""
    file = tmp_path / "reit.toml"
    file.write_text('[labels]\n"vehicle_details.km_stand" = ["KM-Stand"]\n', encoding="utf-8")

    assert Profile.load(file).labels["vehicle.mileage"] == ("KM-Stand",)


def test_a_file_names_columns_or_none(tmp_path: Path) -> None:
    """A list replaces the built-in one, an empty list switches it off; a read-only twin follows."""
    file = tmp_path / "reit.toml"
    file.write_text(
        '[columns]\nperson = "Kundenname"\nshop_date = []\n"vehicle_details.vin" = ["FIN"]\n', encoding="utf-8"
    )

    profile = Profile.load(file)

    assert profile.columns["person"] == ("Kundenname",)
    assert profile.columns["shop_date"] == ()
    assert profile.columns["vehicle.vin"] == ("FIN",)
    assert profile.columns["phone"] == COLUMNS["phone"]
    form = form_of(
        "<form><div><label>x</label><input name=Kundenname value=M></div><input name=shop_date></form>", profile
    )
    assert [path for path, handle in form.field_locations().items() if handle.is_column] == ["person"]


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    """PLANSO_TABLE_ID stands above the profile."""
    file = tmp_path / "reit.toml"
    file.write_text("table_id = 7\n", encoding="utf-8")

    assert Profile.load(file, 99).table_id == 99
    assert Profile.load(None, None).table_id == 12565


@pytest.mark.parametrize(
    ("content", "key", "accepted"),
    [
        ("[labels]\npersno = ['x']", "labels.persno", "person"),
        ("[labels]\nperson = []", "labels.person", "list of texts"),
        ("[labels]\nperson = ['*:']", "labels.person", "letters or digits"),
        ("[labels.vehicle]\nwheels = ['x']", "labels.vehicle.wheels", "vin"),
        ("[columns]\nperson = ['123']", "columns.person", "[] for none"),
        ("[columns]\nperson = [5]", "columns.person", "[] for none"),
        ("[columns]\npersno = ['x']", "columns.persno", "person"),
        ("tableid = 1", "tableid", "table_id"),
        ("table_id = '1'", "table_id", "whole number"),
        ("table_id = true", "table_id", "whole number"),
        ("calls = 3", "calls", "table"),
        ("[calls]\nboard = ''", "calls.board", "text"),
        ("[calls]\ntabs = 'x'", "calls.tabs", "table"),
        ("[calls.tabs]\ndist_html = 'x'", "calls.tabs.dist_html", "stamped_timings"),
        ("[calls.tabs]\nwork = 5", "calls.tabs.work", "text"),
        ("[paths]\ndo = 'do?x'", "paths.do", "begins with /"),
        ("[parts.headers]\nmenge = ['x']", "parts.headers.menge", "qty"),
        ("[parts]\ntable_classes = 5", "parts.table_classes", "list of texts"),
    ],
)
def test_a_typo_is_told_with_its_place_and_what_would_be_accepted(
    tmp_path: Path, content: str, key: str, accepted: str
) -> None:
    """A profile that can't be used says file, key and what is accepted."""
    file = tmp_path / "reit.toml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=r"reit\.toml") as told:
        Profile.load(file)

    assert f" {key}: " in str(told.value)
    assert accepted in str(told.value)


@pytest.mark.parametrize("content", [b"[labels", b"person = '\xfc'"])
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, content: bytes) -> None:
    """Neither half a table nor a file in ISO-8859-1 is taken."""
    file = tmp_path / "reit.toml"
    file.write_bytes(content)

    with pytest.raises(ValueError, match=r"reit\.toml"):
        Profile.load(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(ValueError, match=r"nowhere\.toml"):
        Profile.load(tmp_path / "nowhere.toml")
