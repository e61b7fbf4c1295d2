"""Real MCP clients against the connector: `make test-clients`."""
