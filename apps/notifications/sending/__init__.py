"""Sends what is due: threads for each transport, who is next, and when again."""
