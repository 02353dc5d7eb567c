"""The consumer groups, by their apps' labels: each has a worker role, a queue and a reconcile of its own.

Invariant: imports nothing, so that a probe that starts without Django reads it too.
"""

CONSUMER_GROUPS = ["audit", "notifications", "recurrence"]
