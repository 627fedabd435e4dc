"""Grammar families: how the text of a tool call is read."""
