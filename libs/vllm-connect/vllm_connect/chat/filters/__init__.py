"""Filters between the server's deltas and the caller."""
