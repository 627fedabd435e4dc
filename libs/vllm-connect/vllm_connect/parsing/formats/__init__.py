"""One module for each tool-call format; its `FORMAT` is found by `find_format`."""
