"""Use cases: each combines the mirror and PlanSo. Each first sentence names its transactions."""
