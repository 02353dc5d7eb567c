"""What every test gets: see `tests/support`."""

from tests.support.append_only import _flush_past_the_guards as _flush_past_the_guards
