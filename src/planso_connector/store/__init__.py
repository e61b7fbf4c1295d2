"""The memory: all SQL. The mirror of PlanSo's orders and their sections, operations, syncs; on SQLite or PostgreSQL."""
