"""Where the server is and how to talk to it."""
