"""
PostgreSQL: search texts through a function. Under row-level security `LIKE` uses no index, since it is not leakproof.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Planned for the words at each call: a plan for any words reads the matches of all workshops where one has few orders.
FUNCTION = """
DO $$ BEGIN EXECUTE format($statement$
CREATE FUNCTION %1$I.text_candidates(of_workshop text, runs json, at_most bigint) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = %1$I, pg_temp AS $function$
BEGIN
    IF of_workshop <> '*' AND of_workshop = current_setting('planso_connector.workshop', true) THEN
        RETURN QUERY EXECUTE $query$
            SELECT id FROM %1$I.orders
            WHERE workshop = $1 AND text_key LIKE $2 AND text_key LIKE $3 AND text_key LIKE $4 LIMIT $5
        $query$ USING of_workshop, '%%' || coalesce(runs ->> 0, '') || '%%', '%%' || coalesce(runs ->> 1, '') || '%%',
            '%%' || coalesce(runs ->> 2, '') || '%%', at_most;
    END IF;
END $function$
$statement$, current_schema()); END $$
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(FUNCTION)
        op.execute("REVOKE ALL ON FUNCTION text_candidates(text, json, bigint) FROM PUBLIC")
