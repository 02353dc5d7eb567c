"""Django's PostgreSQL, with a limit for a whole transaction."""
