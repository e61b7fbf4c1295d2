"""The HTTP server: uvicorn's configuration, sockets, connection limits, graceful shutdown."""
