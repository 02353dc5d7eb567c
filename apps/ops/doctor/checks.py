"""Every check there is, in the order in which they are told: from what is beneath to what stands on it."""

from apps.ops.doctor.examination import Check

_HERE = "apps.ops.doctor"

# These mean something without any settings.
BEFORE_SETTINGS = [
    Check("software", f"{_HERE}.software:versions"),
    Check("disk", f"{_HERE}.machine:disk"),
]
SETTINGS = Check("settings", f"{_HERE}.configuration:settings_together", seconds=8)
WITH_SETTINGS = [
    Check("system checks", f"{_HERE}.configuration:system_checks", seconds=8),
    Check("postgresql", f"{_HERE}.postgresql:server"),
    Check("postgresql limits", f"{_HERE}.postgresql:limits", after="postgresql"),
    Check("postgresql connections", f"{_HERE}.postgresql:connections", after="postgresql"),
    Check("direct url", f"{_HERE}.postgresql:direct_url", after="postgresql"),
    Check("clock", f"{_HERE}.postgresql:clock", after="postgresql"),
    Check("migrations", f"{_HERE}.postgresql:migrations", after="postgresql"),
    Check("role's rights", f"{_HERE}.postgresql:rights_of_role", after="migrations"),
    Check("redis for jobs", f"{_HERE}.redis_servers:jobs"),
    Check("redis for sockets", f"{_HERE}.redis_servers:sockets"),
    Check("kafka", f"{_HERE}.kafka:cluster"),
    Check("topics", f"{_HERE}.kafka:topics", after="kafka"),
    Check("lag", f"{_HERE}.kafka:lag", after="kafka"),
    Check("web", f"{_HERE}.machine:web"),
    Check("ws", f"{_HERE}.machine:ws"),
    Check("heartbeats", f"{_HERE}.pipeline:heartbeats", after="migrations"),
    Check("outbox", f"{_HERE}.pipeline:outbox", after="migrations"),
    Check("dead letters", f"{_HERE}.pipeline:dead_letters", after="migrations"),
    Check("reconcile", f"{_HERE}.pipeline:reconcile", after="migrations"),
    Check("schedules", f"{_HERE}.pipeline:beating", after="migrations"),
    Check("audit checkpoints", f"{_HERE}.trail:checkpoints_kept", after="migrations", seconds=4.5),
    Check("audit verification", f"{_HERE}.trail:verification", after="migrations"),
    Check("reminders", f"{_HERE}.reminders:reminders", after="migrations"),
    Check("deliveries", f"{_HERE}.reminders:deliveries", after="migrations"),
    Check("webhooks", f"{_HERE}.reminders:webhooks", after="migrations"),
    Check("web push", f"{_HERE}.reminders:web_push", after="migrations"),
    Check("mail", f"{_HERE}.machine:mail"),
]

CHECKS = [*BEFORE_SETTINGS, SETTINGS, *WITH_SETTINGS]
