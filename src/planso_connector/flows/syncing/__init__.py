"""Bring PlanSo's orders into the mirror."""
