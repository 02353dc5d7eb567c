"""The only writers of reminders, notifications, deliveries, preferences and where people are reached."""
