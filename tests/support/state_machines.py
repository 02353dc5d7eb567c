"""How a state machine of Hypothesis is run: the same few examples at every push, many others for as long as asked for.

`STATE_MACHINE_EXAMPLES=500` asks for so many.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "0"))
TIMEOUT_SECONDS = 12 * 3600 if EXAMPLES else 300


def run(machine: type[RuleBasedStateMachine], *, examples: int) -> None:
    always = settings(
        max_examples=examples,
        stateful_step_count=30,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        # A short run that fails shall say so, and a long one find the shortest.
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(machine, settings=always)
