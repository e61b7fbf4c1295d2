"""Tools for phone agents and other language models: at most eight, the same over `POST /tools/{name}` and MCP."""
