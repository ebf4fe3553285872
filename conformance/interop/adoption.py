"""A database that Django made, with a project's people in it: looked at, served beside Django, and given back."""

import json
from contextlib import contextmanager

from databases import PostgresDatabase, SqliteDatabase, postgres_server
from keys import claims
from servers import PASSWORD, Countersign, Django, countersign

BLACKLISTED = "Token is blacklisted"
OTHER_PASSWORD = "staple battery horse correct"
PBKDF2 = ["PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher"]
# With every hasher, the weakest too; and one that has never heard of argon2.
PROJECTS = {
    "startproject": [
        *PBKDF2,
        *["Argon2PasswordHasher", "BCryptSHA256PasswordHasher", "ScryptPasswordHasher", "MD5PasswordHasher"],
    ],
    "minimal": [*PBKDF2, "ScryptPasswordHasher"],
}
# What we must be told beside the key to fit in with each.
SETTINGS = {
    "startproject": {"LEGACY_PASSWORD_HASHERS": "md5"},
    "minimal": {"PASSWORD_HASHER": "pbkdf2_sha256"},
}


@contextmanager
def database_of(directory, engine):
    """A database to be made; `None` where there is no PostgreSQL, which has been said."""
    if engine == "SQLite":
        with SqliteDatabase(directory) as database:
            yield database
    elif (server := postgres_server()) is None:
        yield None
    else:
        with PostgresDatabase(server) as database:
            yield database


@contextmanager
def _project(directory, engine, kind):
    """A database that Django made and a project has used, the project at work on it, and what was put there."""
    with database_of(directory, engine) as database:
        if database is None:
            yield None
            return
        settings = {"PROJECT": kind, "PASSWORD_HASHERS": ",".join(PROJECTS[kind])}
        with Django(directory, database.address, **settings) as django:
            done = django.manage("migrate", "--no-color")
            if done.returncode != 0:
                raise RuntimeError(f"Django's migrate failed: {done.stdout}{done.stderr}")
            yield database, django, django.script("seed")


def the_look_is_right_and_changes_nothing(check, directory, engine, kind):
    with _project(directory, engine, kind) as project:
        if project is None:
            return
        database, _, seeded = project
        before = database.schema(), _contents(database)
        status, said, complaint = countersign(database.address, "adopt", "--dry-run", "--json")
        check.holds("`adopt --dry-run` finds that it can be adopted", status == 0, complaint)
        found = json.loads(said)
        _is(check, "engine", found["engine"].split()[0], engine)
        _is(check, "maker", [found["made_by"], found["adopted"]], ["Django", False])
        _is(check, "schema", [found["schema"][name] for name in ["recognised", "differences"]], [True, []])
        # admin and sessions have a table each.
        _is(check, "other tables", found["schema"]["other_tables"], 2 if kind == "startproject" else 0)
        for application, number in [("auth", 12), ("contenttypes", 2), ("token_blacklist", 12)]:
            state = {"applied": number, "missing": [], "unknown": []}
            _is(check, f"migrations of {application}", found["migrations"][application], state)
        users = found["users"]
        counts = [users[name] for name in ["total", "superusers", "staff", "inactive", "unusable_passwords"]]
        _is(check, "users", counts, [len(seeded["hashers"]) + 6, 1, 2, 1, 1])
        for hasher in seeded["hashers"]:
            # staff, member, root, inactive and the one that is not normalised have the first.
            number = 6 if hasher == "pbkdf2_sha256" else 1
            is_md5 = hasher == "md5"
            family = {"users": number, "verified": 0 if is_md5 else number, "needs": "md5" if is_md5 else None}
            _is(check, f"{hasher} hashes", users["hashes"].get(hasher), family)
        emails = users["emails_that_collide"]
        _is(check, "e-mail addresses", [emails["addresses"], emails["users"], len(emails["examples"])], [1, 2, 1])
        _is(check, "usernames", users["usernames_not_nfkc"]["users"], 1)
        tokens = {"outstanding": 3, "live": 2, "expired": 1, "blacklisted": 1}
        _is(check, "tokens", found["tokens"], tokens)
        _, said, _ = countersign(database.address, "adopt", "--dry-run")
        check.holds("people are told the same", "It can be adopted" in said and "3 outstanding" in said, said)
        check.holds("nothing was changed by looking", (database.schema(), _contents(database)) == before)


def _is(check, what, found, expected):
    check.holds(f"the report is right about {what}", found == expected, f"{found}, not {expected}")


def _contents(database):
    tables = ["auth_user", "auth_group", "django_migrations", "token_blacklist_outstandingtoken"]
    return [database.rows(f"SELECT * FROM {table} ORDER BY id") for table in tables]


def both_serve_it_at_once(check, directory, engine, kind):
    """No `adopt` before: opening it is enough."""
    with _project(directory, engine, kind) as project:
        if project is None:
            return
        database, django, seeded = project
        claimed = {"TOKEN_CLAIMS": "groups,permissions,is_staff,is_superuser"}
        with Countersign(directory, database=database.address, **SETTINGS[kind], **claimed) as ours:
            _everybody_is_known(check, ours, django, seeded)
            _rights_are_as_django_left_them(check, ours, django)
            _tokens_there_are_honoured(check, ours, django, seeded["tokens"])
            _new_users_are_of_both(check, ours, django)
            _ends_count_on_both(check, ours, django)
            _passwords_are_set_for_both(check, ours, django)


def _everybody_is_known(check, ours, django, seeded):
    for username in [*seeded["hashers"], "staff", "member", "root"]:
        wrong = f"{PASSWORD}!"
        check.answers(f"a wrong password of {username} is refused by us", ours.log_in(username, wrong), 401)
        login = ours.log_in(username)  # first, for Django would replace an old hash
        check.answers(f"{username} logs in here", login, 200, '"refresh"')
        check.answers(f"{username}'s token of ours passes Django", django.protected(login["access"]), 200)
        again = django.log_in(username)
        check.answers(f"{username} logs in at Django after us", again, 200)
        check.answers(f"{username} logs in here after Django", ours.log_in(username), 200)
        check.answers(f"{username}'s token of Django passes ours", ours.me(again["access"]), 200, f'"{username}"')
        check.answers(f"a wrong password of {username} is refused by Django", django.log_in(username, wrong), 401)
    for username in ["inactive", "unusable", "nobody"]:
        check.answers(f"{username} is refused by us", ours.log_in(username), 401)
        check.answers(f"{username} is refused by Django", django.log_in(username), 401)
    check.answers("a name that is not normalised, as it was stored, logs in here", ours.log_in("\ufb01sh"), 200)
    check.answers("and at Django", django.log_in("\ufb01sh"), 200)


def _rights_are_as_django_left_them(check, ours, django):
    people = django.script("people")
    for username in ["staff", "member", "root", "pbkdf2_sha256"]:
        got = claims(ours.log_in(username)["access"])
        for claim in ["groups", "permissions", "is_staff", "is_superuser"]:
            expected = people[username][claim]
            check.holds(f"{username}'s {claim} are Django's", got[claim] == expected, f"{got[claim]}, not {expected}")


def _tokens_there_are_honoured(check, ours, django, tokens):
    refreshed = {name: ours.refresh(token["refresh"]) for name, token in tokens.items()}
    check.answers("a refresh token that Django made before we came passes ours", refreshed["live"], 200)
    check.answers("so does its access token", ours.me(tokens["live"]["access"]), 200, '"member"')
    check.answers("one that Django blacklisted is refused", refreshed["blacklisted"], 401, BLACKLISTED)
    check.answers("an expired one is refused", refreshed["expired"], 401, "expired")
    check.answers("which Django refuses too", django.refresh(tokens["expired"]["refresh"]), 401, "expired")


def _new_users_are_of_both(check, ours, django):
    here = ours.post("/user/api/register/", username="new-here", email="New@Here.example", password=PASSWORD)
    check.answers("we register a user", here, 201)
    check.answers("Django logs it in", django.log_in("new-here"), 200)
    check.answers("Django makes a user", django.post("/create-user/", username="new-there", password=PASSWORD), 201)
    check.answers("we log it in", ours.log_in("new-there"), 200)
    again = ours.post("/user/api/register/", username="new-there", email="a@b.example", password=PASSWORD)
    check.answers("a name that Django gave away is taken here", again, 400, "already exists")
    for username in ["new-here", "new-there"]:
        for server in [ours, django]:
            refused = server.log_in(username, "wrong")
            check.answers(f"a wrong password of {username} is refused by {server.name}", refused, 401)


def _ends_count_on_both(check, ours, django):
    for whose, mint in [("our", lambda: ours.log_in("member")), ("Django's", lambda: django.log_in("member"))]:
        here, there, other = (mint()["refresh"] for _ in range(3))
        check.answers(f"we blacklist {whose} token", ours.blacklist(here), 200)
        check.answers(f"Django blacklists {whose} token", django.blacklist(there), 200)
        for where, token in [("here", here), ("there", there)]:
            for server in [ours, django]:
                refused = server.refresh(token)
                check.answers(f"{whose} token, ended {where}, is refused by {server.name}", refused, 401, BLACKLISTED)
        for server in [ours, django]:
            check.answers(f"another of {whose} tokens passes {server.name}", server.refresh(other), 200)
    login = ours.log_in("member")
    check.answers("a logout here", ours.log_out(login["access"]), 200)
    check.answers("ends the refresh token here", ours.refresh(login["refresh"]), 401, BLACKLISTED)
    check.answers("and at Django", django.refresh(login["refresh"]), 401, BLACKLISTED)
    theirs = django.log_in("member")
    everywhere = ours.log_out(ours.log_in("member")["access"], "all/")
    check.answers("a logout everywhere", everywhere, 200)
    check.answers("ends what Django recorded, here", ours.refresh(theirs["refresh"]), 401, BLACKLISTED)
    check.answers("and at Django itself", django.refresh(theirs["refresh"]), 401, BLACKLISTED)


def _passwords_are_set_for_both(check, ours, django):
    ours.command("changepassword", "staff", "--password-stdin", stdin=f"{OTHER_PASSWORD}\n")
    check.answers(
        "Django sets a password", django.post("/set-password/", username="root", password=OTHER_PASSWORD), 200
    )
    for username, where in [("staff", "here"), ("root", "there")]:
        for server in [ours, django]:
            good, bad = server.log_in(username, OTHER_PASSWORD), server.log_in(username, PASSWORD)
            check.answers(f"a password set {where} is good at {server.name}", good, 200)
            check.answers(f"the one before it is refused by {server.name}", bad, 401)


def there_is_a_way_back(check, directory, engine, kind):
    with _project(directory, engine, kind) as project:
        if project is None:
            return
        database, django, seeded = project
        schema, migrations = database.schema(), database.rows("SELECT * FROM django_migrations ORDER BY id")
        status, _, complaint = countersign(database.address, "adopt", "--undo")
        is_refused = status == 1 and "nothing to take out" in complaint
        check.holds("there is nothing to undo at first, and it says so", is_refused, complaint)
        for added in [3, 0]:
            status, said, complaint = countersign(database.address, "adopt", "--json")
            tables = json.loads(said)["added"]["tables"] if status == 0 else complaint
            check.holds(f"`adopt` adds {added or 'no'} tables", len(tables) >= 3 if added else tables == [], tables)
        rotating = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
        with Countersign(directory, rotating, database.address, **SETTINGS[kind]) as ours:
            everybody = [*seeded["hashers"], "staff", "member", "root", "\ufb01sh"]
            for username in ["ada", "bob", "carol"]:
                ours.register(username)
            # Each login gives its user a hash of our kind; each refresh token is exchanged three times.
            everybody += ["ada", "bob", "carol"]
            refreshed = {}
            for username in everybody:
                refresh = ours.log_in(username)["refresh"]
                for _ in range(3):
                    refresh = ours.refresh(refresh)["refresh"]
                refreshed[username] = refresh
            ended = ours.log_in("ada")
            check.answers("somebody logs out", ours.log_out(ended["access"]), 200)
            access = ours.log_in("bob")["access"]
        people = django.script("people")
        ours_now = {name: people[name]["hasher"] for name in ["pbkdf2_sha1", "scrypt", "ada"]}
        expected = "pbkdf2_sha256" if kind == "minimal" else "argon2"
        check.holds("the hashes were upgraded", set(ours_now.values()) == {expected}, ours_now)
        _django_goes_on(check, django, everybody, refreshed, ended, access)
        status, said, complaint = countersign(database.address, "adopt", "--undo", "--json")
        check.holds("`adopt --undo` takes our tables out", status == 0 and '"countersign_session"' in said, complaint)
        check.holds("the schema is as before, to the byte", database.schema() == schema, database.schema())
        now = database.rows("SELECT * FROM django_migrations ORDER BY id")
        check.holds("so are the rows of django_migrations", now == migrations, now)
        nothing_to_do(check, django)
        _django_goes_on(check, django, everybody, {}, ended, access)
        found = json.loads(countersign(database.address, "adopt", "--dry-run", "--json")[1])
        check.holds("it could be adopted again", found["can_be_adopted"] and not found["adopted"], found)


def _django_goes_on(check, django, everybody, refreshed, ended, access):
    for username in everybody:
        check.answers(f"{username} logs in at Django without us", django.log_in(username), 200)
    wrong = [django.log_in(username, f"{PASSWORD}!").status for username in everybody]
    check.holds("and with no wrong password", set(wrong) == {401}, wrong)
    passed = [django.refresh(token).status for token in refreshed.values()]
    check.holds("Django refreshes every token that we exchanged", set(passed) <= {200}, passed)
    check.answers("what was logged out here stays so", django.refresh(ended["refresh"]), 401, BLACKLISTED)
    check.answers("our access token passes Django", django.protected(access), 200)


def nothing_to_do(check, django):
    for arguments in [["migrate", "--check"], ["makemigrations", "--check", "--dry-run"], ["check"]]:
        done = django.manage(*arguments)
        sentence = f"`manage.py {' '.join(arguments)}` is content"
        check.holds(sentence, done.returncode == 0, done.stdout + done.stderr)
    done = django.manage("migrate", "--no-color")
    check.holds("migrate finds nothing to do", "No migrations to apply." in done.stdout, done.stdout + done.stderr)


def django_runs_on_ours(check, directory, engine):
    with database_of(directory, engine) as database:
        if database is None:
            return
        with Countersign(directory, database=database.address) as ours, Django(directory, database.address) as django:
            ours.register("ada")
            nothing_to_do(check, django)
            check.answers("Django logs our user in", django.log_in("ada"), 200)
            django.post("/create-user/", username="bob", password=PASSWORD)
            check.answers("we log Django's user in", ours.log_in("bob"), 200)
            status, _, complaint = countersign(database.address, "adopt", "--undo")
            refused = status == 1 and "Countersign made it" in complaint
            check.holds("`adopt --undo` leaves a database of ours alone", refused, complaint)
            check.answers("which goes on", ours.log_in("ada"), 200)


def what_cannot_be_adopted_is_said(check, directory, engine):
    with database_of(directory, engine) as database:
        if database is None:
            return
        with Django(directory, database.address) as django:
            for application, migration, word in [
                ("auth", "0011", "auth.0012_alter_user_first_name_max_length"),
                ("token_blacklist", None, "INSTALLED_APPS"),
            ]:
                django.manage("migrate")
                django.manage("migrate", application, migration or "zero")
                before = database.schema()
                for dry in [["--dry-run"], []]:
                    status, _, complaint = countersign(database.address, "adopt", *dry)
                    what = f"{application} at {migration or 'zero'}"
                    is_refused = status == 1 and word in complaint
                    check.holds(f"{' '.join(['adopt', *dry])} refuses {what}, with the fix", is_refused, complaint)
                check.holds("and changes nothing", database.schema() == before)
