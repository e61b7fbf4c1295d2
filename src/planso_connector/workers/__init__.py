"""Background loops: sync schedule, outbox, retention."""
