"""What an old project has in its database, written and read by Django itself; run with the project's environment.

`seed` makes the people and their tokens, `people` says what Django knows of them.
"""

import json
import sys
from datetime import timedelta

import project  # sets Django up
from django.contrib.auth.hashers import get_hashers, make_password
from django.contrib.auth.models import Group, Permission, User
from django.utils.timezone import now
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from servers import PASSWORD


def seed():
    hashers = [hasher.algorithm for hasher in get_hashers()]
    for hasher in hashers:
        password = make_password(PASSWORD, hasher=hasher)
        User.objects.create(username=hasher, email=f"{hasher}@example.com", password=password)
    editors, readers = Group.objects.create(name="editors"), Group.objects.create(name="Leser ü")
    of = {permission.codename: permission for permission in Permission.objects.all()}
    editors.permissions.add(of["change_user"], of["view_group"])
    readers.permissions.add(of["view_user"], of["view_group"])
    usual = make_password(PASSWORD)  # once: it takes its time
    staff = User.objects.create(username="staff", email="Shared@example.com", password=usual, is_staff=True)
    staff.groups.add(editors, readers)
    staff.user_permissions.add(of["add_group"])
    member = User.objects.create(username="member", email="sHARED@example.com", password=usual)
    member.groups.add(readers)
    User.objects.create(username="root", password=usual, is_staff=True, is_superuser=True)
    User.objects.create(username="inactive", password=usual, is_active=False)
    User.objects.create_user("unusable")
    User.objects.create(username="\ufb01sh", password=usual)  # not normalised
    tokens = {}
    for name in ["live", "blacklisted", "expired"]:
        refresh = RefreshToken.for_user(member)
        if name == "blacklisted":
            refresh.blacklist()
        if name == "expired":
            refresh.set_exp(lifetime=-timedelta(hours=1))
            OutstandingToken.objects.filter(jti=refresh["jti"]).update(expires_at=now() - timedelta(hours=1))
        tokens[name] = {"refresh": str(refresh), "access": str(refresh.access_token)}
    return {"hashers": hashers, "tokens": tokens}


def people():
    def person(user):
        return {
            "id": user.id,
            "is_staff": user.is_staff,
            "is_superuser": user.is_superuser,
            "groups": sorted(group.name for group in user.groups.all()),
            "permissions": sorted(user.get_all_permissions()),
            "hasher": user.password.split("$")[0],
        }

    return {user.username: person(user) for user in User.objects.all()}


print(json.dumps({"seed": seed, "people": people}[sys.argv[1]]()))
