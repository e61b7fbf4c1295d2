"""Progress: how far an order is, and sentences about it."""
