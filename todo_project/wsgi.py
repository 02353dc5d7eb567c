"""REST, admin and pages: the entry of the `web` role."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
application = get_wsgi_application()
