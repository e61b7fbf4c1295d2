"""Writes: accept into the outbox, send to PlanSo, read back, settle."""
