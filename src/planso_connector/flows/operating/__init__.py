"""Running the service: API keys, access log, personal data, retention, health, PlanSo login."""
