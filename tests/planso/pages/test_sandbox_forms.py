"""Whole forms against the sandbox, on installations that differ from each other."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from planso_connector.domain.fields import Value
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from tests.planso.conftest import client

pytestmark = pytest.mark.anyio

INSTALLATIONS = {
    **{markup: Installation(markup=markup, field_names=7) for markup in ("div", "table", "for", "wrapped", "busy")},
    "escaped, latin": Installation(escaped_markup=True, charset="iso-8859-1-undeclared", list_shape="list"),
    "texts, iso": Installation(plain_selects=True, iso_dates=True, ids_as_text=True, table_id=77),
    "hidden zeros": Installation(markup="busy", hidden_zero=frozenset({"Alle Fahrzeugdaten", "Fahrbereit"})),
}
REQUESTED: dict[str, Value] = {
    "person": "Zoë & <Söhne>",
    "remarks": "eins\nzwei & drei",
    "est_hours_karo": 12.5,
    "repair_date": "2026-12-09",
    "vehicle_details.all_details": True,
    "vehicle_details.km_stand": None,
}
LABELS = {
    "Fahrername",
    "Bemerkungen",
    "Sollstunden Karo",
    "Fahrzeugeingang (Soll)",
    "Alle Fahrzeugdaten",
    "Kilometerstand",
}


@pytest.mark.parametrize("installation", INSTALLATIONS.values(), ids=INSTALLATIONS)
async def test_a_write_changes_only_the_requested_fields(installation: Installation) -> None:
    """In twelve orders the sandbox holds the requested values, and every other value byte for byte as before."""
    sandbox = Sandbox(orders=12, installation=installation)
    with sandbox.serve() as url:
        async with client(url, profile=Profile.load(None, installation.table_id)) as planso:
            for order in sandbox.order_ids()[:12]:
                before = sandbox.values(order)
                form = await planso.read_form(order)
                assert form.missing_labels() == []
                plan = form.plan(REQUESTED)
                await planso.save(form, plan)
                read_back = await planso.read_form(order)

                assert read_back.find_unsaved(REQUESTED) == []
                assert {label for label, _, _ in form.find_differences(read_back)} <= LABELS
                after = sandbox.values(order)
                assert {label for label in before if before[label] != after[label]} <= LABELS
                assert sandbox.value(order, "Fahrername") == REQUESTED["person"]


async def test_an_unchanged_form_is_what_a_browser_would_send(sandbox: Sandbox, url: str) -> None:
    """All orders: the same pairs in the same order as jQuery makes of the form, but for line ends."""
    async with client(url) as planso:
        for order in sandbox.order_ids():
            form = await planso.read_form(order)
            pairs = parse_qsl(form.serialise(), keep_blank_values=True, max_num_fields=1000)
            browser = [(name, value.replace("\r\n", "\n")) for name, value in sandbox.snapshot(order)]
            assert [(name, value.replace("\r\n", "\n")) for name, value in pairs] == browser


async def test_a_dropped_save_is_noticed(sandbox: Sandbox, url: str) -> None:
    """PlanSo answers with success and keeps nothing: every requested field is listed as unsaved."""
    order = sandbox.order_ids()[0]
    sandbox.knobs.drop_saves_next = 1
    async with client(url) as planso:
        form = await planso.read_form(order)
        requested: dict[str, Value] = {"remarks": "ganz neu", "est_hours_karo": 99.25}
        plan = form.plan(requested)
        await planso.save(form, plan)
        kept = (await planso.read_form(order)).find_unsaved(requested)

    assert [entry.field for entry in kept] == ["remarks", "est_hours_karo"]


async def test_an_order_is_created_and_deleted(sandbox: Sandbox, url: str) -> None:
    """The new id comes back, the form holds what was requested; deleted, it is blank again."""
    async with client(url) as planso:
        blank = await planso.read_blank_form()
        assert blank.is_blank
        order = await planso.create(blank, blank.plan({"person": "Neu", "phone": "0711 1", "shop_date": "2026-12-09"}))
        reading = (await planso.read_form(order)).read_fields()
        assert (reading.values["person"], reading.values["shop_date"]) == ("Neu", "2026-12-09")

        await planso.delete(order)
        assert order not in sandbox.order_ids()
        assert (await planso.read_form(order)).is_blank
