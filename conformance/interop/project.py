"""A Django project with REST Framework and Simple JWT, as small as one can be: what Countersign has to get on with.

Its database, its key and Simple JWT's settings come from the environment. `python project.py migrate` is its manage.py,
`project:application` what a WSGI server serves. `PROJECT=startproject` adds the applications that Django's own
startproject lists, `PROJECT=members` and `PROJECT=people` have user models of their own, and `PASSWORD_HASHERS` names
others than the two hashers here.
"""

import json
import os
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import django
from django.conf import settings



def database(address):
    """An SQLite file, or postgresql://USER@HOST:PORT/NAME."""
    url = urlsplit(address)
    if url.scheme != "postgresql":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": address}
    place = {"HOST": url.hostname, "PORT": url.port or 5432, "NAME": url.path[1:]}
    return {"ENGINE": "django.db.backends.postgresql", "USER": url.username, "PASSWORD": url.password or "", **place}


IS_STARTPROJECT = os.environ.get("PROJECT") == "startproject"
HASHERS = os.environ.get("PASSWORD_HASHERS", "PBKDF2PasswordHasher,Argon2PasswordHasher").split(",")
MORE = ["admin", "sessions", "messages", "staticfiles"] if IS_STARTPROJECT else []
USER_MODELS = {"members": "members.Member", "people": "people.Person"}
OWN = [name for name in USER_MODELS if name == os.environ.get("PROJECT")]

settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": database(os.environ["DATABASE"])},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField" if IS_STARTPROJECT else "django.db.models.AutoField",
    INSTALLED_APPS=[
        *[f"django.contrib.{name}" for name in MORE],
        *OWN,
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    AUTH_USER_MODEL=USER_MODELS.get(os.environ.get("PROJECT"), "auth.User"),
    # Argon2 may come first or last: Django reads the hashes of every listed hasher.
    PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}" for name in HASHERS],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    if IS_STARTPROJECT
    else [],
    STATIC_URL="static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": []},
    ROOT_URLCONF=__name__,
    # Longer than a slow machine takes for the longest story that uses one access token.
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(hours=1), **json.loads(os.environ["SIMPLE_JWT_JSON"])},
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model
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

User = get_user_model()


def named(request):
    """The name that the request logs in with."""
    return request.data[User.USERNAME_FIELD]


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
    user = User.objects.get_by_natural_key(named(request))
    refresh = RefreshToken.for_user(user)
    if request.data.get("integer_id"):
        refresh["user_id"] = user.id  # as Simple JWT wrote it before 5.5
    return Response({"refresh": str(refresh), "access": str(refresh.access_token)})


@api_view(["POST"])
def blacklist_all(request):
    """How projects with Simple JWT end every session of a user."""
    for token in OutstandingToken.objects.filter(user=User.objects.get_by_natural_key(named(request))):
        BlacklistedToken.objects.get_or_create(token=token)
    return Response({})


@api_view(["POST"])
def create_user(request):
    user = User.objects.create_user(named(request), password=request.data["password"])
    return Response({"id": user.id}, status=201)


@api_view(["POST"])
def set_password(request):
    user = User.objects.get_by_natural_key(named(request))
    user.set_password(request.data["password"])
    user.save()
    return Response({})


urlpatterns = [
    path("protected/", Protected.as_view()),
    path("stateless/", Stateless.as_view()),
    path("create-user/", create_user),
    path("set-password/", set_password),
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
