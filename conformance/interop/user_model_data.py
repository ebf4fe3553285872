"""People of a project with a user model of its own, written and read by Django itself; run with the project's environment."""

import json
import sys

import project  # sets Django up
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from rest_framework_simplejwt.tokens import RefreshToken

from servers import PASSWORD

User = get_user_model()


def _named(name, **fields):
    return User.objects.create_user(**{User.USERNAME_FIELD: f"{name}@example.com"}, password=PASSWORD, **fields)


def seed():
    editors, readers = Group.objects.create(name="editors"), Group.objects.create(name="readers")
    of = {permission.codename: permission for permission in Permission.objects.all()}
    editors.permissions.add(of["add_group"], of["view_group"])
    readers.permissions.add(of["view_group"])
    staff, member = _named("staff", is_staff=True), _named("member")
    staff.groups.add(editors, readers)
    staff.user_permissions.add(of["change_group"])
    member.groups.add(readers)
    _named("root", is_superuser=True)
    _named("inactive", is_active=False)
    live, ended = RefreshToken.for_user(member), RefreshToken.for_user(member)
    ended.blacklist()
    return {"live": {"refresh": str(live), "access": str(live.access_token)}, "ended": str(ended)}


def people():
    def person(user):
        return {
            "id": str(user.pk),
            "is_superuser": user.is_superuser,
            "groups": sorted(group.name for group in user.groups.all()),
            "permissions": sorted(user.get_all_permissions()),
        }

    return {user.get_username(): person(user) for user in User.objects.all()}


print(json.dumps({"seed": seed, "people": people}[sys.argv[1]]()))
