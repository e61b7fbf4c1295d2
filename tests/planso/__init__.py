"""The client of PlanSo: forms, saves, session, list, parts."""
