"""Select which pairs of a form a save sends. Pure."""

from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.saving.encoding import Pairs, convert_line_breaks
from planso_connector.planso.saving.save_style import SaveStyle


def select_pairs(form: Form, plan: ChangePlan, style: SaveStyle) -> Pairs:
    """All pairs, or the changed ones and those of `style.always`; changed values get the style's line breaks."""
    names = form.changed_control_names(plan)
    pairs = form.serialise_pairs(plan)
    if style.sends == "changed":
        pairs = [pair for pair in pairs if pair[0] in names or pair[0] in style.always]
        if style.unchecked is not None:
            silent = names - {name for name, _ in pairs}
            pairs += [(name, style.unchecked) for name in sorted(silent)]
    return [(name, convert_line_breaks(value, style.line_break) if name in names else value) for name, value in pairs]
