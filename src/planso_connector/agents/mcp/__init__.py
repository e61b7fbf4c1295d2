"""The tools over the Model Context Protocol: `POST /mcp`, with resources and prompts."""
