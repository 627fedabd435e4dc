"""HTTP/1.1: connections, deadlines, retries, TLS."""
