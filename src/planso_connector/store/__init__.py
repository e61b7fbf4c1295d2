"""The memory: all SQL. The mirror of PlanSo's orders, the operations, the sync runs; on SQLite or PostgreSQL."""
