"""The project's addresses, and beside them views that fail in ways a healthy one does not."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from todo_project.urls import *  # noqa: F403
from todo_project.urls import urlpatterns as the_projects


class Stale(APIException):
    status_code = 412
    default_detail = "The task has changed since."
    default_code = "stale"
    extra = {"current": {"version": 3}}


class TroubledView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, trouble: str) -> Response:
        if trouble == "throttled":
            raise Throttled(wait=12.2)
        if trouble == "stale":
            raise Stale
        if trouble == "disconnected":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        raise RuntimeError("the password is swordfish")

    def post(self, request: Request, trouble: str) -> Response:
        return Response(request.data)


def page_of_a_lost_database(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return HttpResponse()


def failing_page(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the password is swordfish")


urlpatterns = [
    path("api/v1/trouble/<str:trouble>/", TroubledView.as_view()),
    path("trouble/disconnected/", page_of_a_lost_database),
    path("trouble/failing/", failing_page),
    *the_projects,
]
