"""
Servers that the lookup is compared with. `python -m bench.rivals PORT DATABASE` is FastAPI with SQLAlchemy's ORM,
written the usual way.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from tests.process import free_port

from bench.orders import FOLDER, SHOP
from bench.processes import run_server
from planso_connector.domain.fields import MIRRORED, FieldKind
from planso_connector.store.tables import orders as table

DATASETTE = "datasette==0.65.5"


def build_orm_app(path: str) -> FastAPI:
    """Return an app with an ORM model of every column, a session per request, and a response model."""

    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __table__ = table.to_metadata(Base.metadata)

        @property
        def fields(self) -> Any:
            return json.loads(self.document)["fields"]  # type: ignore[attr-defined]

    kinds: dict[FieldKind, Any] = {FieldKind.NUMBER: float, FieldKind.ID: int, FieldKind.FLAG: bool}
    columns: dict[str, Any] = {field.column: (kinds.get(field.kind, str) | None, None) for field in MIRRORED}
    columns |= {"id": (int, ...), "version": (int, ...), "short_name": (str, ...), "plate": (str | None, None)}
    columns |= {"station_id": (str | None, None), "station_state": (str | None, None)}
    columns |= {"missing_parts": (bool, ...), "archived": (bool, ...), "fields": (dict[str, str], ...)}
    response = create_model("OrderOut", __config__=ConfigDict(from_attributes=True), **columns)

    class Page(BaseModel):
        success: bool
        orders: list[response]
        count: int

    sessions = sessionmaker(create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False}))

    def session() -> Iterator[Session]:
        with sessions() as opened:
            yield opened

    app = FastAPI()

    @app.get("/api/orders", response_model=Page)
    def find(
        database: Annotated[Session, Depends(session)], plate: str, limit: Annotated[int, Query(le=500)] = 50
    ) -> dict[str, Any]:
        key = "".join(character for character in plate.upper() if character.isalnum())
        statement = (
            select(Order)
            .where(
                Order.workshop == SHOP,  # type: ignore[attr-defined]
                Order.archived == 0,  # type: ignore[attr-defined]
                Order.deleted_at.is_(None),  # type: ignore[attr-defined]
                Order.plate_key.contains(key, autoescape=True),  # type: ignore[attr-defined]
            )
            .order_by(Order.shop_day.desc(), Order.id)  # type: ignore[attr-defined]
            .limit(limit)
        )
        found = database.scalars(statement).all()
        return {"success": True, "orders": found, "count": len(found)}

    return app


@contextmanager
def serve_orm(path: Path) -> Iterator[int]:
    """Run the ORM's app in a process of its own, and return its port."""
    port = free_port()
    with run_server([sys.executable, "-m", "bench.rivals", str(port), str(path)], port):
        yield port


@contextmanager
def serve_datasette(path: Path) -> Iterator[int | None]:
    """Run Datasette on the file, in an environment of its own, and return its port; None if it can't be installed."""
    program = FOLDER / "datasette" / "bin" / "datasette"
    if not program.exists():
        created = subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "datasette")], check=False)
        pip = [str(FOLDER / "datasette" / "bin" / "python"), "-m", "pip", "install", "--quiet", DATASETTE]
        if created.returncode or subprocess.run(pip, check=False).returncode:
            yield None
            return
    port = free_port()
    settings = ["--setting", "sql_time_limit_ms", "60000", "--setting", "max_returned_rows", "1000"]
    with run_server([str(program), "serve", str(path), "--port", str(port), *settings], port):
        yield port


def main(port: str, path: str) -> None:
    app = build_orm_app(path)
    uvicorn.run(app, port=int(port), log_config=None, access_log=False, server_header=False, lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])
