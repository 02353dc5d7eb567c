"""What each verification of the trail found, in the admin."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.audit.models import AuditVerification
from apps.events.read_only import ReadOnly


@admin.register(AuditVerification)
class AuditVerificationAdmin(ReadOnly):
    list_display = ("finished_at", "sound", "scope", "records", "first", "checkpoint")
    list_filter = ("sound", "whole")
    fields = ("started_at", "finished_at", "sound", "scope", "records", "checkpoint", "log_position", "told")

    @admin.display(description="looked at")
    def scope(self, run: AuditVerification) -> str:
        return "came round the whole trail" if run.whole else "what was new, and a piece of the rest"

    @admin.display(description="first finding")
    def first(self, run: AuditVerification) -> str:
        return run.findings[0]["told"] if run.findings else "-"

    @admin.display(description="findings")
    def told(self, run: AuditVerification) -> str | SafeString:
        found = ((finding["wrong"], finding["told"]) for finding in run.findings)
        return format_html_join("", "<p><strong>{}</strong>: {}</p>", found) or "none"
