"""The verbs. One file, one verb; its first sentence says its transactions."""
