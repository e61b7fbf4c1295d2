"""What `server` uses of uvicorn beyond its documented settings: fails at the upgrade that changes it."""

from __future__ import annotations

import ast
import inspect

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl

from planso_connector.server.connections import Connection
from planso_connector.server.graceful_shutdown import GracefulServer


@pytest.mark.parametrize("cls", [Connection, GracefulServer])
def test_overridden_methods_exist(cls: type) -> None:
    """Each public method of a subclass is one of uvicorn's, with the same parameters."""
    (base,) = cls.__bases__
    overridden = [name for name in vars(cls) if not name.startswith("_")]
    assert overridden
    # By its source: sse-starlette, which the MCP SDK imports, replaces `Server.handle_exit`.
    methods = {
        node.name: [argument.arg for argument in node.args.args]
        for node in ast.walk(ast.parse(inspect.getsource(base)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in overridden:
        assert list(inspect.signature(getattr(cls, name)).parameters) == methods[name], name


def test_inherited_attributes_exist() -> None:
    """Each attribute that Connection reads of itself or of its request is set by uvicorn or by Connection."""
    ours = ast.parse(inspect.getsource(Connection))
    theirs = ast.parse(inspect.getsource(httptools_impl))

    def attributes(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
        return {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, context)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("self", "cycle")
        }

    methods = {name for cls in (*Connection.__mro__, httptools_impl.RequestResponseCycle) for name in vars(cls)}
    known = attributes(ours, ast.Store) | attributes(theirs, ast.Store) | methods
    assert attributes(ours, ast.Load) - known == set()
    assert {"response_complete", "response_started", "disconnected", "message_event"} <= attributes(theirs, ast.Store)
    assert {"server_state", "started", "should_exit", "force_exit"} <= vars(
        uvicorn.Server(uvicorn.Config("x:y"))
    ).keys()
