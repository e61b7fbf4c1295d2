"""Connections, threads and transactions for SQLite and PostgreSQL."""
