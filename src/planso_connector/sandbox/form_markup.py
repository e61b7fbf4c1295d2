"""Render the form in the markups that section 3 of the protocol allows."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

from planso_connector.sandbox.controls import Control
from planso_connector.sandbox.php import escape

Block = Callable[[Control], str]


def render_form(
    markup: str, table_id: int, groups: list[tuple[str, list[Control]]], hidden: list[Control], rows: list[Control]
) -> str:
    """The form with hidden inputs, groups of fields, child rows and buttons."""
    head = "".join(f'<input type="hidden" name="{escape(c.name)}" value="{escape(c.value)}">' for c in hidden)
    body = "".join(
        f"<fieldset><legend>{escape(title)}</legend>\n{_group(markup, controls)}</fieldset>\n"
        for title, controls in groups
    )
    return (
        f'<div class="visual_form"><form id="visual_form_{table_id}" method="post" action="/do">'
        f'{head}\n{body}{_rows(rows)}<div class="buttons"><input type="submit" name="save" value="Speichern">'
        f'<button type="button" name="close" value="1">Schließen</button></div></form></div>'
    )


def _rows(cells: list[Control]) -> str:
    """A table of child rows, two cells each."""
    if not cells:
        return ""
    pairs = [cells[index : index + 2] for index in range(0, len(cells), 2)]
    body = "".join("<tr>" + "".join(f"<td>{_control(cell)}</td>" for cell in pair) + "</tr>" for pair in pairs)
    head = "<thead><tr><th>Position</th><th>Anzahl</th></tr></thead>"
    return f'<table class="sub_rows">{head}<tbody>{body}</tbody></table>\n'


def render_filling_script(controls: Iterable[Control]) -> str:
    """The jQuery calls that fill the controls whose value is in `functions`."""
    return "".join(
        f"$('[name=\"{control.name}\"]').val({json.dumps(control.value)});"
        for control in controls
        if control.script_filled == "functions"
    )


def _group(markup: str, controls: list[Control]) -> str:
    if markup == "for":
        return "".join(_pair(controls[index : index + 2]) for index in range(0, len(controls), 2))
    block = {"div": _div, "table": _row, "wrapped": _wrapped, "busy": _busy}[markup]
    rows = "\n".join(block(control) for control in controls)
    return f'<table class="form_table"><tbody>{rows}</tbody></table>' if markup == "table" else rows + "\n"


def _div(control: Control) -> str:
    return f'<div class="field"><label>{escape(control.label)}</label>{_control(control)}</div>'


def _row(control: Control) -> str:
    return f"<tr><td>{escape(control.label)}</td><td>{_control(control)}</td></tr>"


def _pair(pair: list[Control]) -> str:
    """A block for two fields: both labels, then both controls; only `for` relates them."""
    labels = "".join(f'<label for="{_id(control)}">{escape(control.label)}</label>' for control in pair)
    controls = "".join(f'<span class="ctl">{_control(control, identified=True)}</span>' for control in pair)
    return f'<div class="form_row"><div class="labels">{labels}</div><div class="controls">{controls}</div></div>\n'


def _wrapped(control: Control) -> str:
    if control.kind == "radio":
        return _div(control)
    return f'<div class="field"><label>{escape(control.label)} {_control(control)}</label></div>'


def _busy(control: Control) -> str:
    """A decorated label: a break, an icon, a comment, bold words, a star and a colon."""
    words = [escape(word) for word in control.label.split(" ")]
    seed = sum(map(ord, control.label))
    if len(words) > 1:
        words[0] = f"<b>{words[0]}</b>" if seed % 2 else words[0]
        label = ("<br>\n", "&nbsp;", "<br/>")[seed % 3].join(words)
    else:
        label = f"<strong>{words[0]}</strong>" if seed % 2 else words[0]
    star = ('<span class="required">*</span>:', "&nbsp;*", ":", "")[seed % 4]
    note = "<!-- <label>Altes Feld</label><input name='alt' value='x'> -->" if seed % 5 == 0 else "<!-- Feld -->"
    icon = '<i class="fa fa-info-circle" title="Hilfe zum Feld"></i>' if seed % 2 else '<i class="icon-pencil"></i>'
    return (
        f"<DIV CLASS='field form-group'>{note}\n  <label class='control-label'>\n    {icon} {label}{star}\n  </label>\n"
        f"  <div class='input-group'><span class='addon'></span>{_control(control)}</div></DIV>"
    )


def _id(control: Control) -> str:
    return "ctl_" + control.name.removesuffix("[]")


def _control(control: Control, *, identified: bool = False) -> str:
    """The control, with an id where `for` refers to it."""
    name = f' name="{escape(control.name)}"'
    if control.script_filled:
        if control.script_filled == "data":
            name += f' data-{"date" if control.is_date else "value"}="{escape(control.value)}"'
        control = replace(control, values=() if control.options else ("",))
    attributes = f'{name} id="{_id(control)}"' if identified else name
    match control.kind:
        case "long":
            # Parsers drop the first line break of a text area, so there is always one to drop.
            return f'<textarea rows="4"{attributes}>\n{escape(control.value)}</textarea>'
        case "select" | "multi":
            multiple = " multiple" if control.kind == "multi" else ""
            return f"<select{multiple}{attributes}>{render_options(control)}</select>"
        case "radio":
            return _radios(control, name, identified=identified)
        case "checkbox":
            zero = f'<input type="hidden"{name} value="0">' if control.hidden_zero else ""
            checked = " checked" if control.values else ""
            return f'{zero}<input type="checkbox"{attributes} value="1"{checked}>'
        case "file":
            return f'<input type="file"{attributes}>'
        case "locked":
            return f'<input type="text"{attributes} value="{escape(control.value)}" disabled="disabled">'
        case _:
            return f'<input type="text"{attributes} value="{escape(control.value)}">'


def render_options(control: Control) -> str:
    html, group = "", ""
    for option in control.options:
        if option.group != group:
            html += ("</optgroup>" if group else "") + f'<optgroup label="{escape(option.group)}">'
            group = option.group
        selected = ' selected="selected"' if option.value in control.values else ""
        html += f'<option value="{escape(option.value)}"{selected}>{escape(option.text)}</option>'
    return html + ("</optgroup>" if group else "")


def _radios(control: Control, name: str, *, identified: bool) -> str:
    html = ""
    for index, option in enumerate(control.options):
        mark = f' id="{_id(control)}"' if identified and index == 0 else ""
        checked = " checked" if option.value in control.values else ""
        html += f'<input type="radio"{name}{mark} value="{escape(option.value)}"{checked}> {escape(option.text)} '
    return html
