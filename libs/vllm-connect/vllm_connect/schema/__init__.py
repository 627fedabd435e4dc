"""JSON Schemas: what a grammar enforces, what is sent, and whether a value is valid."""
