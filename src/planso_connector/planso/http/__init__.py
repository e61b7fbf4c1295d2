"""Requests to PlanSo: session, login, rate limit, bounded responses, errors."""
