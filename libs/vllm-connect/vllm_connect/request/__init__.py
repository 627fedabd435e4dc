"""A chat request, and the JSON body for it."""
