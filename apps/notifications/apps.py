from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "apps.notifications"

    def ready(self) -> None:
        from django.conf import settings

        from apps.events import schedules
        from apps.events.schedules import Schedule
        from apps.notifications import metrics, publishers, subscribers, transports  # noqa: F401  two hear signals

        transports.transports()
        queue, sweep = subscribers.group.name, settings.REMINDERS_SWEEP_SECONDS
        schedules.declare("Trigger reminders that are due", Schedule("notifications.trigger_due", queue, sweep, {}))
        schedules.declare("Follow changes of defaults", Schedule("notifications.follow_up", queue, 15, {}))
        schedules.declare("Send what is due to go out", Schedule("notifications.send", queue, sweep, {}))
        schedules.declare("Forget old notifications", Schedule("notifications.prune", queue, 3600, {}))
        failing = Schedule("notifications.tell_of_failing_webhooks", queue, 60, {})
        schedules.declare("Tell of webhooks that were switched off", failing)
        schedules.declare("Send daily digests", Schedule("notifications.send_digests", queue, 30, {}))
        schedules.declare("Nudge about what is overdue", Schedule("notifications.nudge_overdue", queue, 30, {}))
