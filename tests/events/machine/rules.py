"""The machine: every step that people, processes and faults can make, in any order.

The arguments of a rule are small numbers and words that say which of the things there are; what does not fit the
state of things changes nothing, as it would for people.
"""

from tests.events.machine.people import People
from tests.events.machine.processes import Processes
from tests.events.machine.troubles import Troubles


class EventCore(People, Processes, Troubles):
    """All rules together."""
