"""
Collect the statements of `store/`, and check in their SQL that each names the workshop of every table it touches: the
condition for distributing the schema by `workshop`, and for keeping workshops apart without row-level security.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import sqlglot
from sqlalchemy import Executable, SelectBase, UpdateBase
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import TextClause
from sqlglot import exp

from planso_connector import store
from planso_connector.store.tables import INSTALLATION_TABLES, metadata


def _dialect(kind: Any) -> Dialect:
    return cast("Dialect", kind(paramstyle="named"))


DIALECTS = {"postgresql": _dialect(postgresql.dialect), "sqlite": _dialect(sqlite.dialect)}
OWN_WORKSHOP = frozenset({"workshop", "of_workshop"})
"""The parameters that a transaction sets to its own workshop."""
OF_A_WORKSHOP = frozenset(metadata.tables) - INSTALLATION_TABLES | {"text_index_orders"}
WITHOUT_WORKSHOP = INSTALLATION_TABLES | {"alembic_version", "text_index"}
"""The rows of `text_index`, SQLite's full-text index, are numbers that `text_index_orders` has with their workshops."""
FUNCTIONS = frozenset({"text_candidates"})
"""Functions of the database that read tables; their first argument is the workshop."""

_BUILDING = frozenset({"select", "insert", "update", "delete", "text", "exists", "union", "union_all"})
_Scope = dict[str, "_Source"]


class _Source:
    """One use of a table in a statement; those whose workshops are compared share a group."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.group: _Source = self

    def find(self) -> _Source:
        return self if self.group is self else self.group.find()


def collect_statements() -> dict[str, Executable]:
    """All statements that modules of `store/` hold, also within their tuples and dicts, by module and name."""
    found: dict[str, Executable] = {}
    for module in pkgutil.walk_packages(store.__path__, f"{store.__name__}."):
        if ".migrations" in module.name:
            continue
        short = module.name.removeprefix(f"{store.__name__}.")
        for name, value in vars(importlib.import_module(module.name)).items():
            for path, statement in _executables(value):
                found.setdefault(f"{short}.{name}{path}", statement)
    return found


def _executables(value: object) -> Iterator[tuple[str, Executable]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ((f"[{key}]{path}", found) for path, found in _executables(item))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from ((f"[{number}]{path}", found) for path, found in _executables(item))
    elif isinstance(value, TextClause | UpdateBase | SelectBase):
        yield "", cast("Executable", value)


def list_builders() -> set[str]:
    """The functions of `store/` that build a statement when called, by module and name."""
    root = Path(str(store.__file__)).parent
    found = set()
    for path in root.rglob("*.py"):
        if "migrations" not in path.parts:
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                    map(_is_building, _own(function))
                ):
                    found.add(f"{module}.{function.name}")
    return found


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions within."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own(child)


def _is_building(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BUILDING


def find_faults(statement: Executable) -> list[str]:
    """What the statement lacks, on either database; empty if it names each workshop."""
    faults = []
    for name, dialect in DIALECTS.items():
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        sql = str(compiled)
        found = [
            f"{key} has a fixed value" for key in OWN_WORKSHOP & compiled.binds.keys() if not _is_open(compiled, key)
        ]
        for parsed in sqlglot.parse(sql, dialect="postgres" if name == "postgresql" else name):
            assert parsed is not None
            found += _check(parsed)
        faults += [f"{name}: {fault}: {sql}" for fault in found]
    return faults


def _is_open(compiled: Any, key: str) -> bool:
    """Whether a parameter is what the transaction sets."""
    return bool(compiled.binds[key].required)


def _check(statement: exp.Expr) -> Iterator[str]:
    for insert in statement.find_all(exp.Insert):
        yield from _check_insert(insert)
    for function in statement.find_all(exp.Anonymous):
        if function.name in FUNCTIONS and not _is_own_workshop(function.expressions[0]):
            yield f"{function.name}() is not given the own workshop"
    yield from _check_scope(statement, {})


def _check_insert(insert: exp.Insert) -> Iterator[str]:
    target = insert.this
    table = target.this.name if isinstance(target, exp.Schema) else target.name
    if table not in OF_A_WORKSHOP:
        return
    columns = [column.name for column in target.expressions] if isinstance(target, exp.Schema) else []
    if "workshop" not in columns:
        yield f"INSERT INTO {table} does not set the workshop"
        return
    place = columns.index("workshop")
    given = insert.expression
    if isinstance(given, exp.Select):
        workshops = [given.expressions[place].unalias()]
    else:
        workshops = [row.expressions[place] if isinstance(row, exp.Tuple) else row for row in given.expressions]
    if not all(map(_is_own_workshop, workshops)):
        yield f"INSERT INTO {table} sets another workshop than its own"
    conflict = insert.args.get("conflict")
    keys = [key.name for key in conflict.args.get("conflict_keys") or ()] if conflict else []
    if keys and "workshop" not in keys:
        yield f"ON CONFLICT of {table} is not within a workshop"


def _check_scope(node: exp.Expr, outer: _Scope) -> Iterator[str]:
    """Check a SELECT, UPDATE or DELETE with what is within it; `outer`: the tables around it, by their names here."""
    if not isinstance(node, exp.Select | exp.Update | exp.Delete):
        for child in node.iter_expressions():
            yield from _check_scope(child, outer)
        return
    own = {table.alias_or_name: _Source(table.name) for table in _tables(node)}
    anchor = _Source("the own workshop")
    sources = {**outer, **own}
    for condition in _conditions(node):
        left, right = (_source(side, sources, own, anchor) for side in (condition.this, condition.expression))
        if left is not None and right is not None:
            left.find().group = right.find()
    unknown = {source.table for source in own.values()} - OF_A_WORKSHOP - WITHOUT_WORKSHOP
    yield from (f"{table} is neither a workshop's nor the installation's" for table in sorted(unknown))
    anchored = {anchor.find(), *(source.find() for source in outer.values())}
    for name, source in own.items():
        if source.table in OF_A_WORKSHOP and source.find() not in anchored:
            yield f"{source.table} ({name}) is not compared with the workshop"
    if isinstance(node, exp.Update) and any(_column(part.this) == "workshop" for part in node.expressions):
        yield "UPDATE sets the workshop"
    for child in node.iter_expressions():
        yield from _check_scope(child, sources)


def _tables(node: exp.Expr) -> Iterator[exp.Table]:
    """The tables of this statement's own FROM, JOIN and target."""
    joins: Sequence[exp.Join] = node.args.get("joins") or ()
    from_ = node.args.get("from_") or node.args.get("from")
    parts = [node.this, from_.this if from_ else None, *(join.this for join in joins), *(node.args.get("using") or ())]
    for part in parts:
        if isinstance(part, exp.Table) and isinstance(part.this, exp.Identifier):
            yield part
            yield from (join.this for join in part.args.get("joins") or () if isinstance(join.this, exp.Table))


def _conditions(node: exp.Expr) -> Iterator[exp.EQ]:
    """The equalities that every row fulfils: those of WHERE and JOIN that are joined by AND."""
    where = node.args.get("where")
    from_ = node.args.get("from_") or node.args.get("from")
    joins = [*(node.args.get("joins") or ()), *((from_.this.args.get("joins") or ()) if from_ else ())]
    for whole in [where.this if where else None, *(join.args.get("on") for join in joins)]:
        if whole is not None:
            condition = whole.unnest()
            parts = condition.flatten() if isinstance(condition, exp.And) else (condition,)
            yield from (part for part in parts if isinstance(part, exp.EQ))


def _source(side: exp.Expr, sources: _Scope, own: _Scope, anchor: _Source) -> _Source | None:
    """Whose workshop one side of a comparison is; None: no workshop."""
    if _is_own_workshop(side):
        return anchor
    if _column(side) != "workshop":
        return None
    name = side.args["table"].name if side.args.get("table") else ""
    if name:
        return sources.get(name)
    candidates = [source for source in own.values() if source.table in OF_A_WORKSHOP]
    return candidates[0] if len(candidates) == 1 else None


def _column(side: exp.Expr) -> str | None:
    return side.name if isinstance(side, exp.Column) else None


def _is_own_workshop(side: exp.Expr) -> bool:
    while isinstance(side, exp.Cast | exp.Collate | exp.Paren):
        side = side.this
    return isinstance(side, exp.Placeholder) and side.name in OWN_WORKSHOP
