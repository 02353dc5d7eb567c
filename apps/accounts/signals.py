"""What happens to accounts, in the past tense: sent by the services inside the transaction of the change.

Each carries `user` (as they now are), `actor` and `occurred_at`; a change also the value `before`.
"""

from django.dispatch import Signal

account_erased = Signal()
time_zone_changed = Signal()
