"""Records cors.json: what a Django project with django-cors-headers answers, header by header.

    python -m venv venv && venv/bin/pip install -r conformance/reference-versions.txt
    venv/bin/python conformance/vectors/cors.py > conformance/vectors/cors.json

The middleware stands where the package's README puts it, directly before CommonMiddleware, in the list that startproject
writes. Content-Length is not recorded: it belongs to the body.
"""

import json
import os
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for recording alone, longer than thirty-two bytes",
    ALLOWED_HOSTS=["auth.example"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "corsheaders",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "rest_framework_simplejwt",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "corsheaders.middleware.CorsMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    },
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    ROOT_URLCONF=__name__,
)
django.setup()

from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView


class Me(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({})


urlpatterns = [
    path("user/api/login/", TokenObtainPairView.as_view()),
    path("user/api/me/", Me.as_view()),
]

APP = "https://app.example"
LIST = {"CORS_ALLOWED_ORIGINS": [APP, "http://localhost:3000", "https://[2001:db8::1]:8443"]}
ALL = {"CORS_ALLOW_ALL_ORIGINS": True}
CREDENTIALS = {"CORS_ALLOW_CREDENTIALS": True}
SETTINGS = [
    LIST,
    {**LIST, **CREDENTIALS},
    ALL,
    {**ALL, **CREDENTIALS},
    {"CORS_ALLOWED_ORIGINS": ["null", "file://"]},
    {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://[a-z]{1,9}\.app\.example$", r"^http://localhost:\d+$"]},
    {**LIST, "CORS_ALLOWED_ORIGIN_REGEXES": [r"https://\w+\.app\.example(:\d+)?$"], **CREDENTIALS},
    {**LIST, "CORS_URLS_REGEX": r"^/user/api/me"},
    {**LIST, "CORS_EXPOSE_HEADERS": ["x-request-id", "Retry-After"]},
    {**LIST, "CORS_ALLOW_HEADERS": ["authorization", "content-type"], "CORS_ALLOW_METHODS": ["GET", "POST"]},
    {**LIST, "CORS_PREFLIGHT_MAX_AGE": 0},
    {**LIST, "CORS_PREFLIGHT_MAX_AGE": 600, "CORS_ALLOW_PRIVATE_NETWORK": True},
]
ORIGINS = [
    None,
    "",
    APP,
    "HTTPS://app.example",
    "https://APP.example",
    "http://app.example",
    "https://app.example:443",
    "https://app.example/",
    "https://app.example/login?next=/#top",
    "https://app.example.evil.example",
    "https://evil.example",
    "https://x.app.example",
    "https://xx.yy.app.example",
    "https://x.app.example:8443",
    "http://localhost:3000",
    "http://localhost:5173",
    "https://[2001:db8::1]:8443",
    "https://[2001:db8::1",
    "https://[nonsense]",
    "null",
    "Null",
    "file://",
    "file:///index.html",
    "nothing",
    "//app.example",
    "://app.example",
    "https:app.example",
]
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-csrftoken, x-odd"}
PRIVATE = {"access-control-request-private-network": "true"}
# Method, path, host, and headers beside Origin.
KINDS = [
    ("GET", "/user/api/me/", "auth.example", {}),
    ("OPTIONS", "/user/api/me/", "auth.example", PREFLIGHT),
]
# These with the first origins only: which origins are allowed does not depend on what is asked for.
MORE_KINDS = [
    ("POST", "/user/api/login/", "auth.example", {}),
    ("OPTIONS", "/user/api/login/", "auth.example", {}),
    ("OPTIONS", "/user/api/login/", "auth.example", {**PREFLIGHT, **PRIVATE}),
    ("OPTIONS", "/user/api/login/", "auth.example", {"access-control-request-method": ""}),
    ("GET", "/user/api/me/", "auth.example", {"access-control-request-method": "GET", **PRIVATE}),
    ("GET", "/user/api/me/", "auth.example", {"access-control-request-private-network": "1"}),
    ("GET", "/user/api/me/", "auth.example", {"accept": "image/png"}),
    ("HEAD", "/user/api/me/", "auth.example", {}),
    ("GET", "/user/api/me", "auth.example", {}),
    ("GET", "/nowhere/", "auth.example", {}),
    ("OPTIONS", "/nowhere/", "auth.example", PREFLIGHT),
    ("OPTIONS", "/user/api/me", "auth.example", PREFLIGHT),
    ("GET", "/user/api/me/", "elsewhere.example", {}),
    ("OPTIONS", "/user/api/me/", "elsewhere.example", PREFLIGHT),
]


def ask(client, method, path, host, headers, origin):
    sent = {**headers, "host": host, **({} if origin is None else {"origin": origin})}
    body = {"data": "{}", "content_type": "application/json"} if method == "POST" else {}
    answer = client.generic(method, path, headers=sent, **body)
    kept = {name.lower(): value for name, value in answer.items() if name.lower() != "content-length"}
    return {
        "method": method,
        "path": path,
        "headers": sent,
        "answer": {"status": answer.status_code, "headers": dict(sorted(kept.items()))},
    }


vectors = []
for changed in SETTINGS:
    with override_settings(**changed):
        client = Client(raise_request_exception=False)
        asked = [ask(client, *kind, origin) for kind in KINDS for origin in ORIGINS]
        asked += [ask(client, *kind, origin) for kind in MORE_KINDS for origin in [None, APP, "https://evil.example"]]
        vectors.append({"settings": changed, "requests": asked})

about = (
    f"django-cors-headers {version('django-cors-headers')} on Django {version('Django')}: for each of the settings, requests "
    "and the status and every header, but for Content-Length, of their answers. POST has the JSON body {}. Made by cors.py."
)


def in_lines(asked):
    return ",\n".join(json.dumps(one, separators=(",", ":")) for one in asked)


settings_of = [f'{{"settings": {json.dumps(of["settings"])}, "requests": [\n{in_lines(of["requests"])}\n]}}' for of in vectors]
print(f'{{"about": {json.dumps(about)}, "vectors": [\n' + ",\n".join(settings_of) + "\n]}")
