"""Rows as an Excel workbook of one sheet. Texts stay texts, whatever they begin with; dates are dates."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import IO

from planso_connector.domain.german_formats import BERLIN
from planso_connector.rest.tables.cells import Cell, Column, Row

MAX_ROWS = 1_000_000
"""Excel's limit is 1,048,576 with the header."""
_MAX_TEXT = 32_767
"""Characters of a cell. Source: Excel's specifications and limits."""
_MAX_WHOLE = 10**15 - 1
"""Excel keeps 15 digits of a number."""
_WIDTH = 16

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LIKE_AN_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""`_x0041_` is an `A` to Excel; `_x005F_` is the underscore itself."""


class XlsxTable:
    """
    Writes a table to `output`, which it does not close. Each row goes to a file in `folder` when the next one comes,
    so that memory does not grow with their number. All methods block.
    """

    def __init__(self, columns: Sequence[Column], output: IO[bytes], folder: str) -> None:
        from xlsxwriter import Workbook  # type: ignore[import-untyped]  # most processes never need it

        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = Workbook(output, options)
        self._sheet = self._book.add_worksheet()
        self._day = self._book.add_format({"num_format": "dd.mm.yyyy"})
        self._moment = self._book.add_format({"num_format": "dd.mm.yyyy hh:mm"})
        self._time = self._book.add_format({"num_format": "hh:mm"})
        self._columns = len(columns)
        self.rows = 0
        self._sheet.set_column(0, self._columns - 1, _WIDTH)
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for number, column in enumerate(columns):
            self._sheet.write_string(0, number, column.name, bold)

    def write_rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows += 1
            for number, cell in enumerate(row):
                if cell is not None and cell != "":
                    self._write(number, cell)

    def finish(self) -> None:
        """Raises OSError."""
        self._sheet.autofilter(0, 0, self.rows, self._columns - 1)
        from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]

        try:
            self._book.close()
        except XlsxWriterException as error:  # it hides the OSError
            raise OSError(str(error)) from error

    def abandon(self) -> None:
        """In place of `finish`, or after it failed."""
        self._sheet.row_data_fh.close()

    def _write(self, number: int, cell: Cell) -> None:
        match cell:
            case str():
                self._sheet.write_string(self.rows, number, _sanitize(cell))
            case bool():
                self._sheet.write_boolean(self.rows, number, cell)
            case int() if abs(cell) > _MAX_WHOLE:
                self._sheet.write_string(self.rows, number, str(cell))
            case int() | float():
                self._sheet.write_number(self.rows, number, cell)
            case datetime():
                local = cell.astimezone(BERLIN).replace(tzinfo=None) if cell.tzinfo is not None else cell
                self._write_date(number, local, self._moment)
            case date():
                self._write_date(number, cell, self._day)
            case time():
                self._sheet.write_datetime(self.rows, number, cell, self._time)

    def _write_date(self, number: int, value: date, style: object) -> None:
        if value.year < 1900:  # Excel knows none before
            self._sheet.write_string(self.rows, number, value.isoformat())
        else:
            self._sheet.write_datetime(self.rows, number, value, style)


def _sanitize(text: str) -> str:
    """Without what XML can't hold."""
    return _LIKE_AN_ESCAPE.sub("_x005F_", _NOT_XML.sub("\ufffd", text))[:_MAX_TEXT]
