"""SQL expressions that differ between SQLite and PostgreSQL, and parameters of whole rows."""

from typing import Any

from sqlalchemy import BigInteger, BindParameter, Boolean, ColumnElement, Table, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType


def row_parameters(table: Table, *, without_key: bool = False) -> dict[str, BindParameter[Any]]:
    """A parameter for each column, named and typed like it, as the values of an INSERT or UPDATE."""
    return {c.name: bindparam(c.name, type_=c.type) for c in table.c if not (without_key and c.primary_key)}


class contains(FunctionElement[bool]):  # noqa: N801 - reads as a function in statements
    """`contains(text, part)`: whether `part` occurs in `text` literally: no wildcards, case folding or collation."""

    inherit_cache = True
    type = Boolean()


class contains_all(FunctionElement[bool]):  # noqa: N801
    """`contains_all(text, words)`: whether each of `words`, a JSON list, occurs in `text`."""

    inherit_cache = True
    type = Boolean()


class ids_from_json(FunctionElement[int]):  # noqa: N801
    """`ids_from_json(ids)`: the integers of a JSON list, any number of them in one parameter."""

    inherit_cache = True
    type = BigInteger()


class text_candidates(FunctionElement[int]):  # noqa: N801
    """
    `text_candidates(workshop, runs, at_most).table_valued("order_id")`: orders whose text may contain each of `runs`, a
    JSON list of stretches of letters and digits, the longest first; a superset of those that do. On PostgreSQL at most
    so many.
    """

    inherit_cache = True
    type = BigInteger()


class is_in_texts(FunctionElement[Any]):  # noqa: N801
    """`is_in_texts(column, texts)`: whether `column` is in a JSON list; looks each up in the index."""

    inherit_cache = True
    type = NullType()
    """Not Boolean: for SQLite, SQLAlchemy would add `= 1`, and SQLite would scan all rows in place of the index."""


def is_in_ids(column: ColumnElement[int], ids: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether `column` is one of the integers of `ids`, a JSON list: any number of them in one parameter."""
    return column.op("IN", is_comparison=True, return_type=Boolean())(ids_from_json(ids))


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler) -> list[str]:
    return [compiler.process(clause) for clause in element.clauses]


@compiles(contains, "sqlite")
def _(element: contains, compiler: SQLCompiler, **_kw: object) -> str:
    text, part = _arguments(element, compiler)
    return f"(instr({text}, {part}) > 0)"


@compiles(contains, "postgresql")
def _(element: contains, compiler: SQLCompiler, **_kw: object) -> str:
    text, part = _arguments(element, compiler)
    return f"(strpos({text}, {part}) > 0)"


@compiles(contains_all, "sqlite")
def _(element: contains_all, compiler: SQLCompiler, **_kw: object) -> str:
    text, words = _arguments_reversed(element, compiler)
    return f"NOT EXISTS (SELECT 1 FROM json_each({words}) AS word WHERE instr({text}, word.value) = 0)"  # noqa: S608 - made of compiled SQL


@compiles(contains_all, "postgresql")
def _(element: contains_all, compiler: SQLCompiler, **_kw: object) -> str:
    text, words = _arguments_reversed(element, compiler)
    named = f"json_array_elements_text({words}::json) AS word(value)"
    return f"NOT EXISTS (SELECT 1 FROM {named} WHERE strpos({text}, word.value) = 0)"  # noqa: S608 - made of compiled SQL


def _arguments_reversed(element: FunctionElement[Any], compiler: SQLCompiler) -> tuple[str, str]:
    """Text and words, compiled in their order in the SQL: SQLite's placeholders have no names."""
    text, words = list(element.clauses)
    words_sql = compiler.process(words)
    return compiler.process(text), words_sql


@compiles(ids_from_json, "sqlite")
def _(element: ids_from_json, compiler: SQLCompiler, **_kw: object) -> str:
    (ids,) = _arguments(element, compiler)
    return f"(SELECT value FROM json_each({ids}))"  # noqa: S608 - made of compiled SQL


@compiles(ids_from_json, "postgresql")
def _(element: ids_from_json, compiler: SQLCompiler, **_kw: object) -> str:
    (ids,) = _arguments(element, compiler)
    return f"(SELECT value::bigint FROM json_array_elements_text({ids}::json))"  # noqa: S608 - made of compiled SQL


@compiles(is_in_texts, "sqlite")
def _(element: is_in_texts, compiler: SQLCompiler, **_kw: object) -> str:
    column, texts = _arguments(element, compiler)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 - made of compiled SQL


@compiles(is_in_texts, "postgresql")
def _(element: is_in_texts, compiler: SQLCompiler, **_kw: object) -> str:
    # An array, not a subquery: joined with one, a table without statistics yet is scanned a thousand times.
    column, texts = _arguments(element, compiler)
    return f'{column} = ANY(ARRAY(SELECT value COLLATE "C" FROM json_array_elements_text({texts}::json)))'  # noqa: S608 - made of compiled SQL


@compiles(text_candidates, "sqlite")
def _(element: text_candidates, compiler: SQLCompiler, **_kw: object) -> str:
    workshop, runs, _ = list(element.clauses)
    runs_sql, workshop_sql = compiler.process(runs), compiler.process(workshop)  # in their order in the SQL
    return (
        "(SELECT order_id FROM text_index CROSS JOIN text_index_orders ON number = text_index.rowid"  # noqa: S608 - made of compiled SQL
        f" WHERE text_index MATCH grams_asked({runs_sql}) AND workshop = {workshop_sql})"
    )


@compiles(text_candidates, "postgresql")
def _(element: text_candidates, compiler: SQLCompiler, **_kw: object) -> str:
    workshop, runs, at_most = _arguments(element, compiler)
    # A function: under row-level security LIKE uses no index (docs/decisions, "Row-level security").
    return f"(SELECT text_candidates AS order_id FROM text_candidates({workshop}, {runs}::json, {at_most}))"  # noqa: S608 - made of compiled SQL
