"""A chat call: what to send, how to read the answer, whether to try again."""
