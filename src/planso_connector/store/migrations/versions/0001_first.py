"""The first tables: the mirror, operations, sync runs, rejected logins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOT_DELETED = {"sqlite_where": sa.text("deleted_at IS NULL"), "postgresql_where": sa.text("deleted_at IS NULL")}


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    create_operations()
    create_orders()
    create_rejected_logins()
    create_runs()
    create_parts()
    create_sightings()


def create_operations() -> None:
    op.create_table(
        "operations",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("state", key(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", key(), nullable=False),
        sa.Column("settled_at", key(), nullable=True),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_index("operations_by_order", "operations", ["workshop", "order_id", "created_at"])
    op.create_index("operations_by_state", "operations", ["workshop", "state", "order_id"])


def create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.Integer(), nullable=False),
        sa.Column("deleted_at", key(), nullable=True),
        sa.Column("changed_at", key(), nullable=False),
        sa.Column("short_name", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=True),
        sa.Column("station_id", key(), nullable=True),
        sa.Column("station_state", key(), nullable=True),
        sa.Column("employee_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("list_finish_date", sa.Text(), nullable=True),
        sa.Column("missing_parts", sa.Integer(), nullable=False),
        sa.Column("number_plate", sa.Text(), nullable=True),
        sa.Column("vin", sa.Text(), nullable=True),
        sa.Column("makeID", sa.BigInteger(), nullable=True),
        sa.Column("modelID", sa.BigInteger(), nullable=True),
        sa.Column("first_registration", sa.Text(), nullable=True),
        sa.Column("kba", sa.Text(), nullable=True),
        sa.Column("hu_au", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("engine_size", sa.Text(), nullable=True),
        sa.Column("curb_weight", sa.Text(), nullable=True),
        sa.Column("gross_weight", sa.Text(), nullable=True),
        sa.Column("engine_power", sa.Text(), nullable=True),
        sa.Column("last_registration", sa.Text(), nullable=True),
        sa.Column("km_stand", sa.Text(), nullable=True),
        sa.Column("engine_code", sa.Text(), nullable=True),
        sa.Column("all_details", sa.Integer(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("customer_category", sa.BigInteger(), nullable=True),
        sa.Column("damage", sa.Text(), nullable=True),
        sa.Column("repair_date", sa.Text(), nullable=True),
        sa.Column("shop_date", sa.Text(), nullable=True),
        sa.Column("est_hours_karo", sa.Double(), nullable=True),
        sa.Column("est_hours_lack", sa.Double(), nullable=True),
        sa.Column("appointment_date", sa.Text(), nullable=True),
        sa.Column("service_advisor", sa.Text(), nullable=True),
        sa.Column("pickup_service", sa.Text(), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("parts_delivery_date", sa.Text(), nullable=True),
        sa.Column("paint_date", sa.Text(), nullable=True),
        sa.Column("shop_back_date", sa.Text(), nullable=True),
        sa.Column("repair_date_time_from", sa.Text(), nullable=True),
        sa.Column("repair_date_time_to", sa.Text(), nullable=True),
        sa.Column("estimate_date", sa.Text(), nullable=True),
        sa.Column("return_date_time", sa.Text(), nullable=True),
        sa.Column("damage_description", sa.Text(), nullable=True),
        sa.Column("workshop_distribution", sa.Text(), nullable=True),
        sa.Column("external_calculation", sa.Text(), nullable=True),
        sa.Column("express_link", sa.Text(), nullable=True),
        sa.Column("project_status", sa.Text(), nullable=True),
        sa.Column("finish_date", sa.Text(), nullable=True),
        sa.Column("planned_delivery_date", sa.Text(), nullable=True),
        sa.Column("parts_status", sa.Text(), nullable=True),
        sa.Column("est_hours_mech", sa.Double(), nullable=True),
        sa.Column("vehicle_vin", sa.Text(), nullable=True),
        sa.Column("vehicle_kba", sa.Text(), nullable=True),
        sa.Column("vehicle_color_code", sa.Text(), nullable=True),
        sa.Column("vehicle_color_name", sa.Text(), nullable=True),
        sa.Column("vehicle_mileage", sa.Text(), nullable=True),
        sa.Column("vehicle_vehicle", sa.Text(), nullable=True),
        sa.Column("vehicle_class", sa.Text(), nullable=True),
        sa.Column("vehicle_leasing", sa.Text(), nullable=True),
        sa.Column("shop_day", key(), nullable=False),
        sa.Column("finish_day", key(), nullable=False),
        sa.Column("plate_key", key(), nullable=False),
        sa.Column("person_key", key(), nullable=False),
        sa.Column("phone_key", key(), nullable=False),
        sa.Column("email_key", key(), nullable=False),
        sa.Column("damage_key", key(), nullable=False),
        sa.Column("status_key", key(), nullable=False),
        sa.Column("text_key", key(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_index(
        "orders_by_damage_key",
        "orders",
        ["workshop", "archived", "damage_key", sa.text("shop_day DESC"), "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "orders_by_finish_day",
        "orders",
        ["workshop", "archived", "finish_day"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "orders_by_shop_day",
        "orders",
        ["workshop", "archived", sa.text("shop_day DESC"), "id", "plate_key"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "orders_by_station_id",
        "orders",
        ["workshop", "archived", "station_id", sa.text("shop_day DESC"), "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "orders_by_status_key",
        "orders",
        ["workshop", "archived", "status_key", sa.text("shop_day DESC"), "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def create_rejected_logins() -> None:
    op.create_table(
        "rejected_logins",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rejected_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop"),
    )


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("state", key(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("started_at", key(), nullable=False),
        sa.Column("ended_at", key(), nullable=True),
        sa.Column("updated_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_index("runs_by_start", "runs", ["workshop", "started_at", "id"])


def create_parts() -> None:
    op.create_table(
        "parts",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("part_no", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("lead_no", sa.Text(), nullable=True),
        sa.Column("order_no", sa.Text(), nullable=True),
        sa.Column("row_id", sa.Text(), nullable=True),
        sa.Column("part_id", sa.Text(), nullable=True),
        sa.Column("qty", sa.Double(), nullable=True),
        sa.Column("price_each", sa.Double(), nullable=True),
        sa.Column("price_total", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("status_code", sa.Text(), nullable=True),
        sa.Column("order_date", sa.Text(), nullable=True),
        sa.Column("delivery_date", sa.Text(), nullable=True),
        sa.Column("eta_date", sa.Text(), nullable=True),
        sa.Column("is_to_order", sa.Integer(), nullable=False),
        sa.Column("is_ordered", sa.Integer(), nullable=False),
        sa.Column("is_delivered", sa.Integer(), nullable=False),
        sa.Column("is_backorder", sa.Integer(), nullable=False),
        sa.Column("is_mandatory", sa.Integer(), nullable=False),
        sa.Column("is_price_checked", sa.Integer(), nullable=False),
        sa.Column("is_missing", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "order_id", "position"),
        sa.ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="parts_order"),
    )


def create_sightings() -> None:
    op.create_table(
        "sightings",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("read_at", key(), nullable=False),
        sa.Column("synced_at", key(), nullable=False),
        sa.Column("parts_read_at", key(), nullable=True),
        sa.Column("list_fingerprint", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workshop", "order_id"),
        sa.ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="sightings_order"),
        sqlite_with_rowid=False,
    )
