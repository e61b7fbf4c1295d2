"""The pages of `/app`: the login form, and the start page after a login (protocol, section 1)."""

import json

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.php import escape
from planso_connector.sandbox.save_calls import SaveCalls
from planso_connector.sandbox.save_style import SaveStyle

SCRIPT_PATH = "sandbox/planso.js"
"""Below the sandbox's address. Links of pages are relative, so that they work below a path prefix."""


def render_login_page(message: str = "", username: str = "") -> str:
    """The login page; after a failure the same page with a message."""
    alert = f'<div class="alert alert-danger">{escape(message)}</div>' if message else ""
    return f"""<!DOCTYPE html>
<html lang="de"><head><title>PlanSo – Anmeldung (Sandkasten)</title></head><body class="login">
<h1>Anmelden für die Werkstatt</h1>{alert}
<form method="post" action="app" id="login_form">
<label>Benutzername
<input type="text" name="system_login_username" id="system_login_username" value="{escape(username)}"></label>
<label>Passwort <input type="password" name="system_login_password" id="system_login_password"></label>
<input type="hidden" name="user_lat"><input type="hidden" name="user_lng"><input type="hidden" name="user_accuracy">
<button type="submit" id="ps_system_login">Anmelden</button></form>
<p><small>Zugang vergessen? Büro fragen – Rückruf möglich.</small></p></body></html>"""


def render_start_page(installation: Installation, style: SaveStyle, saves: SaveCalls, token: str) -> str:
    """The page after a login: board and form, both filled by script."""
    source, attributes = escape(style.token_source), render_script_settings(installation, style, saves)
    meta = f'<meta name="{source}" content="{escape(token)}">' if style.shows_token("meta") else ""
    hidden = f'<input type="hidden" name="{source}" value="{escape(token)}">' if style.shows_token("input") else ""
    return f"""<!DOCTYPE html>
<html lang="de"><head><title>PlanSo (Sandkasten)</title>{meta}</head><body class="app"{attributes}>
<h1>Werkstattübersicht</h1><p>Angemeldet als {escape(installation.username)}. <a href="do?m=logout">Abmelden</a></p>
{hidden}{render_editor()}<ul id="resourceplanner"></ul><script src="{SCRIPT_PATH}"></script></body></html>"""


def render_script_settings(installation: Installation, style: SaveStyle, saves: SaveCalls) -> str:
    """The attribute of `<body>` with the installation's settings for the script."""
    settings = {
        "table": installation.table_id,
        "escaped": installation.escaped_markup,
        "style": style.as_json(),
        "saves": {kind: call.as_json() for kind, call in saves.items()},
    }
    return f' data-planso="{escape(json.dumps(settings))}"'


def render_editor(order_id: int | str = "") -> str:
    """The section in which the script shows a form, initially that of the order."""
    return f"""<section id="editor" data-order="{order_id}" hidden><h2 id="title"></h2><p id="result" role="status"></p>
<div id="form"></div><p><button type="button" id="save">Speichern</button>
<button type="button" id="delete">Auftrag löschen</button></p></section>
<p><button type="button" id="new">Neuer Auftrag</button></p>"""


def render_maintenance_page() -> str:
    """HTML that is not the login page."""
    return "<!DOCTYPE html><html><head><title>Wartung</title></head><body><h1>Wartungsarbeiten</h1></body></html>"


def render_proxy_page(status: int) -> str:
    """The error page of a proxy in front of PlanSo."""
    return f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr><center>nginx</center></body></html>"
