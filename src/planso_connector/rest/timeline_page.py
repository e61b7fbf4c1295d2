"""A repair timeline as a German page to be printed: no script, nothing loaded, every text of an order escaped."""

import base64
import hashlib
from datetime import datetime
from html import escape

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import WEEKDAYS
from planso_connector.domain.progress.moment import Moment
from planso_connector.domain.timeline.timeline import EVIDENCE_TEXTS, Timeline, TimelineEntry, TimelineGap

_STYLE = """\
@page{size:A4;margin:18mm 15mm}
body{font:10.5pt/1.4 Arial,Helvetica,sans-serif;color:#000;background:#fff}
body{max-width:180mm;margin:1rem auto;padding:0 1rem}
h1{font-size:17pt;margin:0 0 .4rem}
h2{font-size:12.5pt;margin:1.2rem 0 .3rem;break-after:avoid}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}
dt{font-weight:bold}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
thead{display:table-header-group}
tr{break-inside:avoid}
th,td{border-bottom:1px solid #999;padding:.25rem .5rem .25rem 0;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}
td:first-child{white-space:nowrap}
.planned{font-style:italic}
footer{margin-top:1.2rem;font-size:9pt}
@media print{body{margin:0;padding:0;max-width:none}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The value of `Content-Security-Policy`: the page's own style and nothing else."""


def render_page(timeline: Timeline) -> bytes:
    title = f"Reparaturablaufplan – Auftrag {timeline.order_id}"
    rows = "\n".join(map(_render_entry, timeline.entries))
    gaps = "\n".join(map(_render_gap, timeline.gaps))
    return f"""\
<!DOCTYPE html>
<html lang="de">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<dl>
{_render_facts(timeline)}
</dl>
<h2>Ablauf</h2>
<table>
<thead><tr><th scope="col">Wann</th><th scope="col">Was</th><th scope="col">Woher bekannt</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<h2>Nicht bekannt</h2>
<ul>
{gaps}
</ul>
<footer>Aufgestellt am {escape(_format_instant(timeline.made_at))} aus dem Stand von PlanSo und den beobachteten
Änderungen. „Eingetragen“ heißt: Das Datum steht in PlanSo; dass es so kam, ist damit nicht belegt.</footer>
</body>
</html>
""".encode("utf-8", "replace")


def _render_facts(timeline: Timeline) -> str:
    since = timeline.observed_since
    facts = {
        "Kennzeichen": timeline.plate,
        "Fahrzeug": timeline.vehicle,
        "Fahrgestellnummer": timeline.vin,
        "Kunde": timeline.person,
        "Beobachtet seit": _format_instant(since) if since is not None else None,
    }
    return "\n".join(f"<dt>{name}</dt><dd>{escape(value or 'nicht bekannt')}</dd>" for name, value in facts.items())


def _render_entry(entry: TimelineEntry) -> str:
    known_by = EVIDENCE_TEXTS[entry.evidence].de
    source = {"": "", "parts": " (Teileliste)"}.get(entry.source, f" („{entry.source}“)")
    author = f", durch {entry.by}" if entry.by else ""
    return (
        f'<tr class="{entry.evidence.value}"><td>{_format_moment(entry.moment)}</td><td>{escape(entry.text.de)}</td>'
        f"<td>{escape(known_by + source + author)}</td></tr>"
    )


def _render_gap(gap: TimelineGap) -> str:
    return f"<li>{escape(gap.text.de)}</li>"


def _format_moment(moment: Moment) -> str:
    """`Di 08.12.2026 07:30`."""
    clock = f" {moment.time:%H:%M}" if moment.time is not None else ""
    return f"{WEEKDAYS['de'][moment.day.weekday()][:2]} {moment.day:%d.%m.%Y}{clock}"


def _format_instant(instant: datetime) -> str:
    return f"{instant.astimezone(BERLIN):%d.%m.%Y %H:%M} Uhr"
