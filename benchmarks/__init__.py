"""Measures the platform on a throw-away stack: `make bench`. Timings live here, never in tests."""
