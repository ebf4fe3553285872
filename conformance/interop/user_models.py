"""A project with a user model of its own: adopted, served by both at once, and given back."""

import json

from adoption import BLACKLISTED, OTHER_PASSWORD, database_of, nothing_to_do
from keys import claims
from servers import PASSWORD, Countersign, Django, countersign

# By project, what we have to be told of its user model.
MODELS = {
    "members": {"AUTH_USER_TABLE": "members_member"},
    "people": {"AUTH_USER_TABLE": "people_person", "USERNAME_FIELD": "email"},
}
ACTIVE = [f"{name}@example.com" for name in ["staff", "member", "root"]]


def a_user_model_is_served(check, directory, engine, kind):
    settings = MODELS[kind]
    with database_of(directory, engine) as database:
        if database is None:
            return
        with Django(directory, database.address, PROJECT=kind) as django:
            done = django.manage("migrate", "--no-color")
            if done.returncode != 0:
                raise RuntimeError(f"Django's migrate failed: {done.stdout}{done.stderr}")
            tokens = django.script("seed", file="user_model_data.py")
            schema = database.schema()
            _the_look_is_right(check, database, settings, schema)
            status, _, complaint = countersign(database.address, "adopt", **settings)
            check.holds("`adopt` adopts it", status == 0, complaint)
            told = {"TOKEN_CLAIMS": "groups,permissions,is_superuser", "PASSWORD_HASHER": "pbkdf2_sha256"}
            with Countersign(directory, database=database.address, **settings, **told) as ours:
                _everybody_is_known(check, ours, django)
                _tokens_are_shared(check, ours, django, tokens)
                _new_users_are_of_both(check, ours, django)
                _the_wire_is_simple_jwts(check, ours, django)
                _operators_are_served(check, ours, django)
                logged_out = ours.log_in(ACTIVE[1])
                check.answers("a logout here", ours.log_out(logged_out["access"]), 200)
                refused = django.refresh(logged_out["refresh"])
                check.answers("ends the refresh token at Django", refused, 401, BLACKLISTED)
                left = ours.log_in("new-here@example.com")
            status, _, complaint = countersign(database.address, "adopt", "--undo", **settings)
            check.holds("`adopt --undo` takes our tables out", status == 0, complaint)
            check.holds("the schema is as before, to the byte", database.schema() == schema, database.schema())
            nothing_to_do(check, django)
            for name in [ACTIVE[0], ACTIVE[2], "new-here@example.com", "new-there@example.com"]:
                check.answers(f"{name} logs in at Django without us", django.log_in(name), 200)
            check.answers("our refresh token passes Django without us", django.refresh(left["refresh"]), 200)


def _the_look_is_right(check, database, settings, schema):
    table = settings["AUTH_USER_TABLE"]
    status, _, complaint = countersign(database.address, "adopt", "--dry-run")
    named = status == 1 and f"set AUTH_USER_TABLE={table}" in complaint
    check.holds("`adopt --dry-run` without a setting names it", named, complaint)
    status, said, complaint = countersign(database.address, "adopt", "--dry-run", "--json", **settings)
    check.holds("with it, it can be adopted", status == 0, complaint)
    found = json.loads(said)
    kinds = [found["schema"][name] for name in ["differences", "other_tables"]]
    check.holds("the schema is recognised", kinds == [[], 0], found["schema"])
    users, tokens = found["users"], found["tokens"]
    counts = [users[name] for name in ["total", "superusers", "staff", "inactive"]]
    check.holds("the users are counted", counts == [4, 1, 1, 1], users)
    check.holds("the tokens are counted", [tokens["outstanding"], tokens["blacklisted"]] == [2, 1], tokens)
    wrong = settings | {"AUTH_USER_TABLE": f'{table}"; DROP TABLE auth_group; --'}
    status, _, complaint = countersign(database.address, "adopt", **wrong)
    check.holds("a hostile name of a table is refused", status == 1 and f"AUTH_USER_TABLE={table}" in complaint, complaint)
    check.holds("nothing was changed", database.schema() == schema)


def _everybody_is_known(check, ours, django):
    people = django.script("people", file="user_model_data.py")
    for name in ACTIVE:
        login, theirs = ours.log_in(name), django.log_in(name)
        check.answers(f"{name} logs in here", login, 200)
        check.answers(f"{name} logs in at Django", theirs, 200)
        for server in [ours, django]:
            check.answers(f"not with a wrong password at {server.name}", server.log_in(name, "wrong"), 401)
        as_django = f'"id":"{people[name]["id"]}"'
        check.answers("our access token passes Django, for the same user", django.protected(login["access"]), 200, as_django)
        me = ours.me(theirs["access"])
        check.answers("Django's passes ours", me, 200, f'"email":"{name}"' if ours.name_field == "email" else f'"{name}"')
        check.holds("for the same user", str(me["id"]) == people[name]["id"], me.text)
        check.holds("a username is told where there is one", ('"username"' in me.text) == (ours.name_field == "username"))
        got = claims(login["access"])
        for claim in ["groups", "permissions", "is_superuser"]:
            check.holds(f"{name}'s {claim} are Django's", got[claim] == people[name][claim], got[claim])
        check.holds("the token says who it is for", got["user_id"] == claims(theirs["access"])["user_id"], got)
    for server in [ours, django]:
        check.answers(f"who is inactive is refused by {server.name}", server.log_in("inactive@example.com"), 401)


def _tokens_are_shared(check, ours, django, tokens):
    check.answers("a token that Django made before we came passes ours", ours.refresh(tokens["live"]["refresh"]), 200)
    check.answers("one that it blacklisted is refused", ours.refresh(tokens["ended"]), 401, BLACKLISTED)
    for whose in [ours, django]:
        here, there = (whose.log_in(ACTIVE[1])["refresh"] for _ in range(2))
        check.answers(f"we blacklist a token of {whose.name}", ours.blacklist(here), 200)
        check.answers(f"Django blacklists a token of {whose.name}", django.blacklist(there), 200)
        for token in [here, there]:
            for server in [ours, django]:
                check.answers(f"which {server.name} then refuses", server.refresh(token), 401, BLACKLISTED)


def _new_users_are_of_both(check, ours, django):
    missing = ours.post("/user/api/register/", password=PASSWORD)
    check.answers("who registers needs a name", missing, 400, f'"{ours.name_field}":["This field is required."]')
    named = {ours.name_field: "new-here@example.com"}
    check.answers("we register a user", ours.post("/user/api/register/", **named, password=PASSWORD), 201)
    check.answers("once", ours.post("/user/api/register/", **named, password=PASSWORD), 400, "already exists")
    check.answers("Django logs it in", django.log_in("new-here@example.com"), 200)
    there = {django.name_field: "new-there@example.com"}
    check.answers("Django makes a user", django.post("/create-user/", **there, password=PASSWORD), 201)
    check.answers("we log it in", ours.log_in("new-there@example.com"), 200)


def _the_wire_is_simple_jwts(check, ours, django):
    for body in [{}, {"username": "", "email": "", "password": ""}, {ours.name_field: None}, {"password": "a"}]:
        here, there = ours.post("/user/api/login/", **body), django.post("/token/", **body)
        check.holds(f"a login with {body} is refused in the same words", here == there, f"{here}, not {there}")
    asked = [server.options(path) for server, path in [(ours, "/user/api/login/"), (django, "/token/")]]
    check.holds("OPTIONS names the same fields", asked[0]["actions"] == asked[1]["actions"], asked)


def _operators_are_served(check, ours, django):
    secret = {"stdin": f"{PASSWORD}\n"}
    made = ours.command("createsuperuser", "chief@example.com", "--password-stdin", **secret)
    people = django.script("people", file="user_model_data.py")
    check.holds("`createsuperuser` makes one", people["chief@example.com"]["is_superuser"], made)
    check.holds("whose id is Django's", str(made["id"]) == people["chief@example.com"]["id"], made)
    ours.command("changepassword", ACTIVE[0], "--password-stdin", stdin=f"{OTHER_PASSWORD}\n")
    check.answers("a password set here is good at Django", django.log_in(ACTIVE[0], OTHER_PASSWORD), 200)
    check.answers("the one before is not", django.log_in(ACTIVE[0]), 401)
    named = {django.name_field: ACTIVE[0]}
    check.answers("Django sets it again", django.post("/set-password/", **named, password=PASSWORD), 200)
    check.answers("which is good here", ours.log_in(ACTIVE[0]), 200)
    listed = ours.command("user", "list", "--limit", "2")
    after = ours.command("user", "list", "--after", str(listed[-1]["id"]))
    ids = [user["id"] for user in listed + after]
    check.holds("`user list` shows everybody once", len(ids) == len(set(ids)) == len(people), ids)
    ours.command("user", "delete", "chief@example.com")
    check.answers("who was deleted here is gone there", django.log_in("chief@example.com"), 401)
