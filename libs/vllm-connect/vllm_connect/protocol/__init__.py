"""The shapes of vLLM's HTTP API: requests, events, chunks, error bodies."""
