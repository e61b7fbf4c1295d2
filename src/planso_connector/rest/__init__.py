"""The REST API: application, middleware, routes and schemas."""
