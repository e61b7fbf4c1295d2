"""Tables as responses: CSV is sent while it is read, a workbook once it is complete. Memory does not grow with rows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from fastapi import Response
from fastapi.responses import StreamingResponse

from planso_connector.domain.errors import Invalid, Problem, StoreUnavailable
from planso_connector.domain.messages import MESSAGES
from planso_connector.rest.middleware.accepted_format import CSV, XLSX
from planso_connector.rest.tables.cells import Column, Row
from planso_connector.rest.tables.csv_table import CsvTable
from planso_connector.rest.tables.xlsx_table import MAX_ROWS, XlsxTable

Pages = AsyncIterator[Sequence[Row]]
"""Rows as they are read."""

_CHUNK = 65_536


async def respond_csv(name: str, table: CsvTable, pages: Pages, *, is_head: bool) -> Response:
    """`name`: of the file, without the suffix. The first page is read before; a fault later breaks the response off."""
    first: Sequence[Row] = await anext(pages, ())

    async def body() -> AsyncIterator[bytes]:
        if is_head:
            return
        yield table.render_header()
        yield await asyncio.to_thread(table.render_rows, first)
        async for rows in pages:
            yield await asyncio.to_thread(table.render_rows, rows)

    return StreamingResponse(body(), 200, _build_headers(f"{name}.csv"), CSV)


async def respond_xlsx(
    name: str, columns: Sequence[Column], pages: Pages, slots: asyncio.Semaphore, *, is_head: bool
) -> Response:
    """
    `slots`: how many workbooks are made at a time, each of which needs room in the temporary folder. Raises Invalid for
    more rows than Excel can hold, and StoreUnavailable where there is no room.
    """
    first: Sequence[Row] = await anext(pages, ())
    headers = _build_headers(f"{name}.xlsx")
    if is_head:
        return StreamingResponse((), 200, headers, XLSX)
    try:
        async with slots:
            file = await _write_workbook(columns, first, pages)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreUnavailable(f"The workbook can't be written to the temporary folder: {reason}.") from error
    file.seek(0)
    return StreamingResponse(_read(file), 200, headers, XLSX)


async def _write_workbook(columns: Sequence[Column], first: Sequence[Row], pages: Pages) -> IO[bytes]:
    """A file without a name, which is gone when it is closed. Raises OSError, Invalid."""
    file = TemporaryFile()  # noqa: SIM115 - closed when it is sent
    table: XlsxTable | None = None
    try:
        with TemporaryDirectory() as folder:
            table = await asyncio.to_thread(XlsxTable, columns, file, folder)
            await asyncio.to_thread(table.write_rows, first)
            async for rows in pages:
                if table.rows + len(rows) > MAX_ROWS:
                    message = MESSAGES["too_many_rows"].format(count=MAX_ROWS)
                    raise Invalid([Problem.of(("query", "limit"), message, "too_many_rows")])
                await asyncio.to_thread(table.write_rows, rows)
            await asyncio.to_thread(table.finish)
    except BaseException:
        if table is not None:
            table.abandon()
        file.close()
        raise
    return file


def _build_headers(file_name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file_name}"'}


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
