"""Bytes and shapes: what goes over the network."""
