"""Calls to servers of strangers, that cost and tell no more than they must."""
