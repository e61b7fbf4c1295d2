"""
Rows as CSV: for a German Excel, or by RFC 4180.

A spreadsheet computes texts that begin like a formula, and a formula can call programs: such a text gets an apostrophe
in front, which spreadsheets take for "this is text". Source: OWASP, CSV injection. Phone numbers and negative numbers
stay as they are: digits alone call nothing.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Literal

from planso_connector.domain.german_formats import BERLIN
from planso_connector.rest.tables.cells import Cell, Column, Row

Dialect = Literal["excel-de", "standard"]
"""`excel-de`: semicolons, BOM, decimal commas, German dates. `standard`: RFC 4180, decimal points, ISO 8601."""

_BOM = "\ufeff"
"""Without it Excel takes UTF-8 for Windows-1252."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_HARMLESS = re.compile(r"\+\d[\d ()/.-]*|-\d+(?:[.,]\d+)*")


class CsvTable:
    """Renders a table piece by piece."""

    def __init__(self, columns: Sequence[Column], dialect: Dialect) -> None:
        self._header = [column.name for column in columns]
        self._is_german = dialect == "excel-de"

    def render_header(self) -> bytes:
        header = self._render([self._header])
        return (_BOM.encode() if self._is_german else b"") + header

    def render_rows(self, rows: Iterable[Row]) -> bytes:
        format_cell = _format_german if self._is_german else _format_standard
        return self._render([[format_cell(cell) for cell in row] for row in rows])

    def _render(self, rows: Iterable[Iterable[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=";" if self._is_german else ",", lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


def _format_text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text) else text


def _format_german(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return _format_text(cell)
        case bool():
            return "WAHR" if cell else "FALSCH"
        case int() | float():
            return _format_number(cell).replace(".", ",")
        case datetime():
            local = cell.astimezone(BERLIN) if cell.tzinfo is not None else cell
            return f"{local:%d.%m.%Y} {_format_time(local.time())}"
        case date():
            return f"{cell:%d.%m.%Y}"
        case time():
            return _format_time(cell)


def _format_time(value: time) -> str:
    return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"


def _format_standard(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return _format_text(cell)
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return _format_number(cell)
        case datetime() if cell.tzinfo is not None:
            return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
        case datetime() | date():
            return cell.isoformat()
        case time():
            return _format_time(cell)


def _format_number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)
