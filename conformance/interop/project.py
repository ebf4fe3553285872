"""A Django project with REST Framework and Simple JWT, as small as one can be: what Countersign has to get on with.

Its database, its key and Simple JWT's settings come from the environment. `python project.py migrate` is its manage.py,
`project:application` what a WSGI server serves.
"""

import json
import os
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    # Argon2 may come first or last: Django reads the hashes of every listed hasher.
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
    ],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": []},
    ROOT_URLCONF=__name__,
    SIMPLE_JWT=json.loads(os.environ["SIMPLE_JWT_JSON"]),
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt import views


class Protected(APIView):
    authentication_classes = [JWTAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"kind": type(request.user).__name__, "id": str(request.user.id)})


class Stateless(Protected):
    authentication_classes = [JWTStatelessUserAuthentication]


@api_view(["POST"])
def for_user(request):
    """What a project writes that hands out tokens by its own rules."""
    user = User.objects.get(username=request.data["username"])
    refresh = RefreshToken.for_user(user)
    if request.data.get("integer_id"):
        refresh["user_id"] = user.id  # as Simple JWT wrote it before 5.5
    return Response({"refresh": str(refresh), "access": str(refresh.access_token)})


@api_view(["POST"])
def blacklist_all(request):
    """How projects with Simple JWT end every session of a user."""
    for token in OutstandingToken.objects.filter(user__username=request.data["username"]):
        BlacklistedToken.objects.get_or_create(token=token)
    return Response({})


@api_view(["POST"])
def create_user(request):
    user = User.objects.create_user(request.data["username"], password=request.data["password"])
    return Response({"id": user.id}, status=201)


urlpatterns = [
    path("protected/", Protected.as_view()),
    path("stateless/", Stateless.as_view()),
    path("create-user/", create_user),
    path("for-user/", for_user),
    path("blacklist-all/", blacklist_all),
    path("token/", views.TokenObtainPairView.as_view()),
    path("token/refresh/", views.TokenRefreshView.as_view()),
    path("token/verify/", views.TokenVerifyView.as_view()),
    path("token/blacklist/", views.TokenBlacklistView.as_view()),
]

application = get_wsgi_application()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
