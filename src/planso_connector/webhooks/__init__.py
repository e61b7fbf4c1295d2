"""HTTP to the receivers of webhooks: which addresses are allowed, and one signed request."""
