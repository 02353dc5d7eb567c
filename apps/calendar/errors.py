"""What the calendar refuses; each module derives the refusals of its own."""


class CalendarError(ValueError):
    """Text or a time that the calendar does not accept; its sentence says what to write instead."""
