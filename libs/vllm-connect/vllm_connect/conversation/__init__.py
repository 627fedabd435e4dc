"""Conversations in the form that a server and its chat template accept."""
