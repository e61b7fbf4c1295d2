"""The pages of `/app`: the login form, and what a logged-in person sees (protocol, section 1)."""

from planso_connector.sandbox.php import escape


def login_page(message: str = "", username: str = "") -> str:
    """The German login page; a failure is the same page with a message."""
    alert = f'<div class="alert alert-danger">{escape(message)}</div>' if message else ""
    return f"""<!DOCTYPE html>
<html lang="de"><head><title>PlanSo – Anmeldung (Sandkasten)</title></head><body class="login">
<h1>Anmelden für die Werkstatt</h1>{alert}
<form method="post" action="/app" id="login_form">
<label>Benutzername <input type="text" name="system_login_username" value="{escape(username)}"></label>
<label>Passwort <input type="password" name="system_login_password"></label>
<input type="hidden" name="user_lat"><input type="hidden" name="user_lng"><input type="hidden" name="user_accuracy">
<button type="submit">Anmelden</button></form>
<p><small>Zugang vergessen? Büro fragen – Rückruf möglich.</small></p></body></html>"""


def start_page(user: str) -> str:
    """What `/app` shows to somebody who is logged in."""
    return f"""<!DOCTYPE html>
<html lang="de"><head><title>PlanSo (Sandkasten)</title></head><body class="app">
<h1>Werkstattübersicht</h1><p>Angemeldet als {escape(user)}. <a href="/do?m=logout">Abmelden</a></p>
<div id="resourceplanner"></div><script>resourceplanner.start();</script></body></html>"""


def maintenance_page() -> str:
    """HTML where JSON was promised, and not the login page."""
    return "<!DOCTYPE html><html><head><title>Wartung</title></head><body><h1>Wartungsarbeiten</h1></body></html>"


def proxy_page(status: int) -> str:
    """What the proxy in front of PlanSo says at night."""
    return f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr><center>nginx</center></body></html>"
