"""The profile: the built-in file, what a file of one's own overrides, and how its mistakes are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from planso_connector.domain.fields import BY_PATH, FIELDS
from planso_connector.domain.planso_columns import COLUMNS
from planso_connector.planso import profile as profile_module
from planso_connector.planso.profile import BUILT_IN_FILE, Profile, load_built_in
from tests.planso.conftest import form_of

PART_HEADERS = {
    *("part_no", "description", "lead_no", "price_each", "price_total", "qty", "dates"),
    *("order_no", "status", "order_date", "delivery_date", "eta_date"),
}
PART_STATUSES = {"delivered", "ordered", "backorder", "to_order"}
TABS = (
    *("shop_view", "damagedareas", "details", "documents", "images", "invoice", "planung", "projects", "rental_car"),
    *("setting", "stamped_timings", "stats", "todo_list", "work", "zusammenfassung"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reit.toml"


def test_the_built_in_file_has_the_labels_and_columns_of_every_field() -> None:
    """The documented labels and columns are those of the domain's tables, and every field is in the file."""
    content = load_built_in()

    assert content["labels"] == {field.path: field.labels for field in FIELDS}
    assert {path: names for path, names in content["columns"].items() if names} == COLUMNS
    assert list(content["columns"]) == list(content["labels"])


def test_the_built_in_file_passes_the_checks_of_any_profile() -> None:
    """Loaded as somebody's own file it changes nothing."""
    assert Profile.load(Path(profile_module.__file__).parent / BUILT_IN_FILE) == Profile.load()


def test_every_parts_column_and_status_has_words() -> None:
    """None is missing, none is empty, and there are no others."""
    parts = Profile.load().parts

    assert set(parts.headers) == PART_HEADERS
    assert set(parts.status_words) == PART_STATUSES
    assert all(parts.headers.values())
    assert all(parts.status_words.values())


def test_each_tab_has_a_call_of_its_own() -> None:
    """The tabs of the protocol's section 5 that need no more than the order; each call ends in the tab's name."""
    tabs = Profile.load().calls.tabs

    assert tuple(tabs) == TABS
    assert len(set(tabs.values())) == len(tabs) == 15
    assert all(call.startswith("resourceplanner_") and call.endswith(f"get_{tab}") for tab, call in tabs.items())


def test_a_file_overrides_only_what_it_names(file: Path) -> None:
    """All else is as in the built-in profile."""
    file.write_text(
        'table_id = 7\n[labels]\nperson = "Kunde"\n"vehicle_details.vin" = ["FIN", "VIN"]\n'
        '[labels.vehicle]\nclass = ["Segment"]\n[calls]\nparts = "teile"\n[parts.headers]\nqty = ["Anzahl"]\n'
        '[calls.tabs]\nwork = "arbeit"\n',
        encoding="utf-8-sig",
    )

    profile = Profile.load(file)

    assert profile.table_id == 7
    assert profile.labels["person"] == ("Kunde",)
    assert profile.labels["vehicle_details.vin"] == ("FIN", "VIN")
    assert profile.labels["vehicle.class"] == ("Segment",)
    assert profile.labels["phone"] == BY_PATH["phone"].labels
    assert (profile.calls.parts, profile.calls.board) == ("teile", Profile.load().calls.board)
    assert profile.calls.tabs == {**Profile.load().calls.tabs, "work": "arbeit"}
    assert profile.parts.headers["qty"] == ("Anzahl",)
    assert profile.parts.headers["description"] == Profile.load().parts.headers["description"]


def test_a_read_only_twin_follows_its_writable_field(file: Path) -> None:
    """`vehicle.vin` and `vehicle_details.vin` are one label in PlanSo; naming one is enough."""
    file.write_text('[labels]\n"vehicle_details.km_stand" = ["KM-Stand"]\n', encoding="utf-8")

    assert Profile.load(file).labels["vehicle.mileage"] == ("KM-Stand",)


def test_a_file_names_columns_or_none(file: Path) -> None:
    """A list replaces the built-in one, an empty list switches it off; a read-only twin follows."""
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


def test_the_setting_overrides_the_file(file: Path) -> None:
    """PLANSO_TABLE_ID comes before the profile's `table_id`."""
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
def test_a_mistake_is_reported_with_file_key_and_what_is_accepted(
    file: Path, content: str, key: str, accepted: str
) -> None:
    """An unknown key, a wrong type, a value out of range."""
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=r"reit\.toml") as raised:
        Profile.load(file)

    assert f" {key}: " in str(raised.value)
    assert accepted in str(raised.value)


@pytest.mark.parametrize("content", [b"[labels", b"person = '\xfc'"])
def test_a_file_that_is_not_toml_is_named(file: Path, content: bytes) -> None:
    """Neither half a table nor a file in ISO-8859-1 is accepted."""
    file.write_bytes(content)

    with pytest.raises(ValueError, match=r"reit\.toml"):
        Profile.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(ValueError, match=r"nowhere\.toml"):
        Profile.load(tmp_path / "nowhere.toml")
