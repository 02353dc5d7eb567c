"""The pieces of the state machine over the event core (see `tests/events/test_state_machine.py`).

`kafka` is a broker that fails on purpose, `fates` lets a step die, fail or freeze at a crash point, `world` is one
example's database, people, groups and faults, with what was lost on purpose; `promises` holds it all against what
is promised; `rules` is the machine.
"""
