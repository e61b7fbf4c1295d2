"""The OpenAPI document as its users use it: a Python and a TypeScript client are generated and called; and a linter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client_generators import PYTHON_GENERATOR, TYPESCRIPT
from tests.service import Service

ROOT = Path(__file__).parents[2]
ORDERS = 20

PROGRAM = """
import json, sys
from planso_connector_client import Client
from planso_connector_client.api.health import get_metrics
from planso_connector_client.api.lookup import look_up_orders
from planso_connector_client.api.orders import delete_order, get_order, list_orders, update_order
from planso_connector_client.models import (
    DryRunAnswer, ListOrdersSort, OrdersAnswer, PreconditionFailure, SelectedOrdersAnswer, UpdateOrder,
    UpdateOrderResponse, VehicleDetailsModel,
)

with Client(base_url=sys.argv[1], raise_on_unexpected_status=True, timeout=60) as client:
    page = list_orders.sync(client=client, limit=2, sort=ListOrdersSort.ID_DESC)
    assert isinstance(page, OrdersAnswer), page
    first = page.orders[0]
    selected = list_orders.sync(client=client, limit=2, sort=ListOrdersSort.ID_DESC, fields="plate")
    assert isinstance(selected, SelectedOrdersAnswer), selected
    assert selected.orders[0].plate == first.plate
    body = UpdateOrder(order_id=first.id, person="Kai Wendt", vehicle_details=VehicleDetailsModel(km_stand="84310"))
    planned = update_order.sync(first.id, client=client, body=body, dry_run=True)
    assert isinstance(planned, DryRunAnswer), planned
    done = update_order.sync(first.id, client=client, body=body)
    assert isinstance(done, UpdateOrderResponse), done
    changed = delete_order.sync(first.id, client=client, if_match='"99"')
    assert isinstance(changed, PreconditionFailure), changed
    read = get_order.sync(first.id, client=client).order
    assert changed.order.version == read.version
    found = look_up_orders.sync(client=client, q=first.plate, accept_language="en")
    assert "planso_connector_ready" in get_metrics.sync(client=client)
    print(json.dumps({
        "order_id": first.id,
        "changes": sorted(change.field for change in planned.changes),
        "person": read.person,
        "km_stand": read.vehicle_details.km_stand,
        "found": first.id in [match.order_id for match in found.matches],
    }))
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def document(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document in a file, alone in its folder."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(service.http.get("/openapi.json").content)
    return path


def test_a_python_client_is_generated_and_called(
    service: Service, python_generator: Path, document: Path, tmp_path: Path
) -> None:
    """Generated without a warning, it gets each answer as the class that its status and its members say."""
    generate = (python_generator, "generate", "--meta", "none", "--fail-on-warning")
    output = tmp_path / "planso_connector_client"
    path = f"{python_generator.parent}:{os.environ['PATH']}"  # it formats with its own ruff
    run(
        *generate,
        "--path",
        document,
        "--config",
        PYTHON_GENERATOR / "names.yml",
        "--output-path",
        output,
        cwd=tmp_path,
        PATH=path,
    )
    told = json.loads(run(python_generator.parent / "python", "-c", PROGRAM, service.address, cwd=tmp_path))
    order_id = told.pop("order_id")
    assert told == {
        "changes": ["person", "vehicle_details.km_stand"],
        "person": "Kai Wendt",
        "km_stand": "84310",
        "found": True,
    }
    assert service.sandbox.value(order_id, "Fahrername") == "Kai Wendt"


def test_a_typescript_client_compiles_and_is_called(
    service: Service, node_tools: Path, document: Path, tmp_path: Path
) -> None:
    """The generated client and a program that uses it pass `tsc --strict`, and the program gets what it asked for."""
    run(node_tools / "openapi-ts", "-i", document, "-o", tmp_path / "client", cwd=TYPESCRIPT)
    for name in ("call.ts", "tsconfig.json"):
        (tmp_path / name).write_bytes((TYPESCRIPT / name).read_bytes())
    assert json.loads((tmp_path / "tsconfig.json").read_text("utf-8"))["compilerOptions"]["strict"] is True
    run(node_tools / "tsc", "--project", tmp_path, cwd=tmp_path)
    told: dict[str, Any] = json.loads(run("node", tmp_path / "js/call.js", service.address, cwd=tmp_path))
    order_id = told["order_id"]
    assert told == {
        "order_id": order_id,
        "plate": service.order(order_id)["plate"],
        "changes": ["vehicle_details.km_stand", "shop_date"],
        "now": order_id,
        "found": True,
        "promised": True,
        "members": ["id", "plate"],
    }


def test_a_linter_finds_nothing(node_tools: Path, document: Path) -> None:
    """By Redocly's strictest set of rules: structure, names, examples, descriptions, security."""
    del node_tools
    assert run("node", "lint.mjs", document, cwd=TYPESCRIPT) == ""


def test_a_linter_finds_a_fault(node_tools: Path, document: Path, tmp_path: Path) -> None:
    """The linter of the test above does report: here an operation id that is there twice."""
    del node_tools
    wrong = json.loads(document.read_bytes())
    wrong["paths"]["/health/live"]["get"]["operationId"] = "updateOrder"
    (tmp_path / "wrong.json").write_text(json.dumps(wrong), "utf-8")
    assert "operation-operationId-unique" in run("node", "lint.mjs", tmp_path / "wrong.json", cwd=TYPESCRIPT)


def test_the_document_is_written_without_a_server(service: Service, tmp_path: Path) -> None:
    """`make client` takes it from `docs.openapi`: it is what the service answers."""
    run(sys.executable, "-m", "docs.openapi", tmp_path / "openapi.json", cwd=ROOT)
    written = json.loads((tmp_path / "openapi.json").read_text("utf-8"))
    assert written == service.http.get("/openapi.json").json()
