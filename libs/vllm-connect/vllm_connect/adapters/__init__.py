"""For authors of framework adapters: what an adapter needs and no framework knows."""
