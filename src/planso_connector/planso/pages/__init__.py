"""Parsers for PlanSo's pages and the forms to submit. No I/O."""
