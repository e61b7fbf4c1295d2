"""The database: all SQL. SQLite or PostgreSQL."""
