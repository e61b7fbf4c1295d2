"""Assess what a save changed in PlanSo, and how to undo it. Pure."""
