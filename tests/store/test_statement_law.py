"""The law of `store/`: every statement names the workshop of every table it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, product
from pathlib import Path

import pytest
from sqlalchemy import Executable, Table, UniqueConstraint, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.elements import TextClause

import planso_connector
from planso_connector.store import access_log, search
from planso_connector.store.engine.expressions import text_candidates
from planso_connector.store.tables import INSTALLATION_TABLES, history, leases, metadata, orders, parts
from tests.store import statement_law

OF_THE_INSTALLATION = {
    f"maintenance.after_restore.{name}": "a restored database is marked for all workshops, by its operator"
    for name in ("_RAISE_VERSIONS", "_FORGET_FINGERPRINTS", "_RELEASE_LEASES", "_ALL_ERASURES", "_ALL_STOPS")
} | {
    "maintenance.after_restore._ALL_KEYS": "the keys of all workshops are carried over from the replaced database",
    "maintenance.after_restore._VALID_KEYS": "the keys of all workshops are compared with the replaced database's",
    "api_keys._FIND": "a request's workshop is that of its key",
    "operations._DUE_WORKSHOPS": "one outbox worker asks which of all workshops have something to do",
    "forwarded_calls._WORKSHOPS": "the lease holder asks which of all workshops have calls for it",
    "forwarded_calls._DROP_EXPIRED": "the expired calls of all workshops are deleted at once",
    "lookup_keys._COMPLETE_WORKSHOPS": "a start asks which of all workshops need their search index rebuilt",
    "workshop_states._STATES": "the installation's operator is shown the state of all workshops",
    "webhooks._ENABLED": "a process delivers to the receivers of all workshops",
    "change_feed._NEW_EPOCH": "a restored database is marked for all workshops, by its operator",
    "operations._MARK_RESTORED": "a restored database is marked for all workshops, by its operator",
    "operations._OTHERS_PENDING": "a part of _CLAIMABLE, where its workshop is compared with that of the row around it",
}
"""Statements that may lack the workshop, each with the reason."""

TEXTS = {
    "engine.postgresql_check._LIMITS": "reads the catalogue",
    "engine.row_security_state._INSPECT": "reads the catalogue",
}
"""Statements written as SQL."""

CONDITIONS = [
    *(frozenset({name}) for name in search._CONDITIONS),  # noqa: SLF001 - what its pages are built of
    frozenset(search._CONDITIONS),  # noqa: SLF001
    frozenset[str](),
]
SECTIONS = ("id", "-id", "shop_date", "-shop_date", "finish_date", "-finish_date", "shop_date, undated")
BUILDERS: dict[str, Callable[[], Iterable[Executable]]] = {
    "access_log._select": lambda: (access_log._select(*given) for given in product((False, True), repeat=2)),  # noqa: SLF001
    "search._page_statement": lambda: (
        search._page_statement(conditions, section, has_cursor=has_cursor)  # noqa: SLF001
        for conditions, section in [*((each, "id") for each in CONDITIONS), *((CONDITIONS[0], s) for s in SECTIONS)]
        for has_cursor in (False, True)
    ),
    "search._count_statement": lambda: map(search._count_statement, CONDITIONS),  # noqa: SLF001
    # Called once, by their modules: what they return is collected there.
    "engine.postgresql.__init__": tuple,
    "change_feed._build_page": tuple,
    "operations._select_page": tuple,
    "personal_data._batch": tuple,
    "purge._delete_some": tuple,
    "retention._delete_oldest": tuple,
}
"""The functions that build statements, and all kinds of statements they build."""

STATEMENTS = statement_law.collect_statements()


def faults_of(statements: Iterable[tuple[str, Executable]]) -> dict[str, list[str]]:
    return {name: faults for name, statement in statements if (faults := statement_law.find_faults(statement))}


def test_every_statement_names_its_workshop() -> None:
    """Those that modules hold and those that functions build; what is excepted needs the exception."""
    held = {name: statement for name, statement in STATEMENTS.items() if not isinstance(statement, TextClause)}
    assert len(held) > 150
    built = ((f"{name}()", statement) for name, build in BUILDERS.items() for statement in build())

    found = faults_of(chain(held.items(), built))

    assert found.keys() == OF_THE_INSTALLATION.keys(), found
    assert {name for name, statement in STATEMENTS.items() if isinstance(statement, TextClause)} == TEXTS.keys()


def test_every_function_that_builds_statements_is_known() -> None:
    """None is built where the law does not see it: in another function, or outside of `store/`."""
    assert statement_law.list_builders() == BUILDERS.keys()
    root = Path(str(planso_connector.__file__)).parent
    users = {path.relative_to(root).parts[0] for path in root.rglob("*.py") if "sqlalchemy" in path.read_text()}
    assert users <= {"store", "app.py", "log_output.py", "logs.py"}, users


OF_WORKSHOP = orders.c.workshop == bindparam("of_workshop")
IS_SAME_ORDER = parts.c.order_id == orders.c.id
PLANTED = {
    "no condition": select(orders.c.id),
    "only another condition": select(orders.c.id).where(orders.c.id == bindparam("workshop_id")),
    "another's workshop": select(orders.c.id).where(orders.c.workshop == bindparam("shop")),
    "or": select(orders.c.id).where(OF_WORKSHOP | (orders.c.id == 1)),
    "not": select(orders.c.id).where(~OF_WORKSHOP),
    "a join by id": select(orders.c.id).join(parts, IS_SAME_ORDER).where(OF_WORKSHOP),
    "a joined subquery": select(orders.c.id)
    .join(found := select(parts.c.order_id).subquery(), found.c.order_id == orders.c.id)
    .where(OF_WORKSHOP),
    "within": select(orders.c.id).where(OF_WORKSHOP, orders.c.id.in_(select(parts.c.order_id))),
    "exists": select(orders.c.id).where(OF_WORKSHOP, select(parts.c.order_id).where(IS_SAME_ORDER).exists()),
    "update": update(orders).values(version=1).where(orders.c.id == 1),
    "a move": update(orders).values(workshop=bindparam("to")).where(OF_WORKSHOP),
    "delete": delete(parts),
    "insert without": insert(leases).values(name=bindparam("name"), holder="", expires_at=""),
    "insert for another": insert(leases).values(workshop="a", name=bindparam("name"), holder="", expires_at=""),
    "insert of another's row": insert(leases).from_select(
        ["workshop", "name"], select(orders.c.workshop, bindparam("name")).where(OF_WORKSHOP)
    ),
    "upsert": upsert(leases)
    .values(workshop=bindparam("workshop"), name=bindparam("name"), holder="", expires_at="")
    .on_conflict_do_nothing(index_elements=["name"]),
    "search": select(
        text_candidates(bindparam("shop"), bindparam("runs"), bindparam("n")).table_valued("order_id").c.order_id
    ),
    "unknown table": select(Table("stray", type(metadata)(), *(history.c.at._copy(),))),  # noqa: SLF001
}


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # it warns of some of them too
@pytest.mark.parametrize("name", PLANTED)
def test_the_law_finds_a_statement_without_it(name: str) -> None:
    """Each planted statement reads or writes rows of another workshop, or could, and is found on both databases."""
    faults = statement_law.find_faults(PLANTED[name])
    assert {fault.partition(":")[0] for fault in faults} == {"postgresql", "sqlite"}


def test_the_law_sees_a_module_that_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement planted in a module of `store/`, in a dict of tuples, is collected under its name."""
    monkeypatch.setattr(search, "_PLANTED", {"a": (PLANTED["no condition"],)}, raising=False)
    assert "search._PLANTED[a][0]" in statement_law.collect_statements()


def test_every_key_begins_with_the_workshop() -> None:
    """
    Primary keys and unique indexes have it first, foreign keys have it on both sides, and no number is counted across
    workshops: so the tables can be distributed by it.
    """
    for table in metadata.sorted_tables:
        if table.name in INSTALLATION_TABLES:
            assert not table.foreign_keys
            continue
        assert next(iter(table.primary_key)).name == "workshop"
        uniques = [index for index in table.indexes if index.unique]
        assert all(next(iter(index.expressions)) is table.c.workshop for index in uniques)
        assert all("workshop" in each.columns for each in table.constraints if isinstance(each, UniqueConstraint))
        for key in table.foreign_key_constraints:
            assert {(element.parent.name, element.column.name) for element in key.elements} >= {
                ("workshop", "workshop")
            }
            assert key.referred_table.name not in INSTALLATION_TABLES
        assert table.autoincrement_column is None
        assert not any(column.default or column.identity for column in table.c)
