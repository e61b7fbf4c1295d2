"""What a snapshot of a form contains."""

from __future__ import annotations

from planso_connector.planso.saving.form_snapshot import take_snapshot
from tests.planso.conftest import form_of


def test_a_snapshot_leaves_out_buttons_and_files() -> None:
    """Buttons and file inputs are left out: one that exists only in some states of an order is no loss."""
    held = take_snapshot(
        form_of(
            '<label for="t">Telefon</label><input id="t" name="tel" value="1"><input type="submit" name="accept" '
            'value="Annehmen"><input type="button" name="print" value="Drucken (2)"><input type="file" name="scan">'
            '<input type="hidden" name="key" value="7"><input name="sum" value="3" disabled>'
        )
    )
    assert {column: state.is_sent for column, state in held.items()} == {"tel": True, "key": True, "sum": False}
