"""Links in mails that were used: each works once."""

from django.db import models


class UsedLink(models.Model):
    id = models.UUIDField(primary_key=True, editable=False)
    used_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"link {self.pk}"
