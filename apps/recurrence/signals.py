"""What happens to series, in the past tense: sent by the services inside the transaction of the change.

Each carries `series` (as it now is), `actor` (`None` is the platform), `occurred_at`, and `told`: what the event
says beside the series.
"""

from django.dispatch import Signal

occurrence_generated = Signal()
dates_skipped = Signal()
series_ended = Signal()
series_changed = Signal()
