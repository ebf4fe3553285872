"""A Django REST Framework API that takes Countersign's access tokens. It asks nobody, and needs no database.

    JWKS_URL=http://127.0.0.1:8000/.well-known/jwks.json gunicorn with_drf:application

Copy SIMPLE_JWT, and the authentication class, into the settings of your project.
"""

import os
import secrets

from django.conf import settings

if url := os.environ.get("JWKS_URL"):
    # By public keys. What the token itself says of its algorithm does not count, ALGORITHM does.
    VERIFYING = {"ALGORITHM": os.environ.get("TOKEN_ALGORITHM", "EdDSA"), "JWK_URL": url}
else:
    # By Countersign's SECRET_KEY. Whoever has it can be any user: then this service can, too.
    VERIFYING = {"ALGORITHM": "HS256", "SIGNING_KEY": os.environ["TOKEN_SECRET"]}

SIMPLE_JWT = {**VERIFYING, "AUDIENCE": os.environ.get("TOKEN_AUDIENCE")}

settings.configure(
    SECRET_KEY=secrets.token_urlsafe(),  # your project's own; it has nothing to do with tokens
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    SIMPLE_JWT=SIMPLE_JWT,
    REST_FRAMEWORK={
        # The user is what the token says: a TokenUser, with `id`, and `token` for the other claims. With
        # JWTAuthentication it would be looked up in this project's own database.
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
)

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view  # noqa: E402
from rest_framework.response import Response  # noqa: E402


@api_view()
def orders(request):
    return Response({"user": request.user.id, "orders": []})


urlpatterns = [path("orders/", orders)]
