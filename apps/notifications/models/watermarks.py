"""How far sweeps of time have come."""

from django.db import models


class Watermark(models.Model):
    """Everything before `until` was looked at, by the database's clock; `swept_at` is when somebody last looked."""

    name = models.CharField(primary_key=True, max_length=40)
    until = models.DateTimeField()
    swept_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
