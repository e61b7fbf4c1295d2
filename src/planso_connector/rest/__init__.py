"""The door for programs: routes by resource, their schemas, and which failure is which status."""
