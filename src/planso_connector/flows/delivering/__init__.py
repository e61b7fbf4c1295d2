"""Webhooks: manage receivers, and deliver events to them."""
