"""Tasks, lists and tags over REST: translates requests into services and refusals into problems."""

from apps.tasks.views.lists import ListViewSet
from apps.tasks.views.tags import TagViewSet
from apps.tasks.views.tasks import TaskViewSet

__all__ = ["ListViewSet", "TagViewSet", "TaskViewSet"]
