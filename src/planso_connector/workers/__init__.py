"""The clockwork: when the verbs run without being asked."""
