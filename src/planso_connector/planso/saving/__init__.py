"""Saving to PlanSo: save styles, how they encode a save and read its response, and learning one from a recording."""
