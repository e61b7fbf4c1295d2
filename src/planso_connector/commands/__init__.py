"""Command groups of the CLI, one file per group."""
