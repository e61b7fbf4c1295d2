"""The PlanSo Connector: a REST service in front of PlanSo."""

__version__ = "0.1.0"
