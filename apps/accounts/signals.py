"""What happens to accounts, in the past tense: sent by the services inside the transaction of the change.

Each carries `user` (as they now are), `actor`, `occurred_at`, and the value `before`.
"""

from django.dispatch import Signal

time_zone_changed = Signal()
