"""The PlanSo client. Addresses, labels, selectors and cookies of PlanSo occur here only."""
