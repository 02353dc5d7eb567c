"""Reads of reminders, notifications and deliveries. Whose they are is decided here."""
