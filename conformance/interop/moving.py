"""Accounts that move: from a project's database or its dump into one of ours, and back into an empty project."""

import json
from pathlib import Path

from adoption import BLACKLISTED, PROJECTS, SETTINGS, database_of, project_of
from keys import claims
from servers import PASSWORD, Countersign, Django, countersign

DUMPED = ["auth.user", "auth.group", "token_blacklist"]
# What `dumpdata` is told. Without their ids users get new ones in the order of the dump, here the same.
DUMPS = {
    "plain": [],
    "natural foreign": ["--natural-foreign", "--exclude=contenttypes", "--exclude=auth.permission"],
    "natural": ["--natural-foreign", "--natural-primary"],
}


def a_database_moves(check, directory, engine, kind):
    """Into a database of ours on the other engine, and back into an empty project on either."""
    other = "PostgreSQL" if engine == "SQLite" else "SQLite"
    with project_of(directory, engine, kind) as project:
        if project is None:
            return
        database, django, seeded = project
        before = database.schema(), _dump(django)
        there = Path(directory, "there")
        there.mkdir()
        with database_of(there, other) as ours:
            source = _url(database)
            status, _, complaint = countersign(ours.address, "import", source, "--dry-run")
            check.holds("a look finds nothing in the way", status == 0, complaint)
            status, said, complaint = countersign(ours.address, "import", source, "--json")
            check.holds("the import is done", status == 0, complaint)
            moved = json.loads(said)["rows"]
            counts = [moved[what] for what in ["users", "groups", "outstanding_tokens", "blacklisted_tokens"]]
            check.holds("the report counts what there was", counts == [len(seeded["hashers"]) + 6, 2, 3, 1], counts)
            check.holds("the source is as it was", (database.schema(), _dump(django)) == before)
            _way_back(check, there, ours, kind, before[1], ["SQLite", "PostgreSQL"])
            _everything_works_here(check, there, ours, kind, django, seeded)


def a_dump_moves(check, directory, engine, kind, dump):
    with project_of(directory, engine, kind) as project:
        if project is None:
            return
        _, django, seeded = project
        dumped = django.manage("dumpdata", *DUMPS[dump])
        there = Path(directory, "there")
        there.mkdir()
        path = Path(there, "dump.json")
        path.write_text(dumped.stdout)
        with database_of(there, engine) as ours:
            status, said, complaint = countersign(ours.address, "import", str(path), "--json")
            check.holds("the import is done", status == 0, complaint)
            left_out = json.loads(said)["left_out"]
            check.holds("what is not ours is named", set(left_out) <= {"admin.logentry", "sessions.session"}, left_out)
            _way_back(check, there, ours, kind, _dump(django), [engine])
            whole = "--exclude=auth.permission" not in DUMPS[dump]
            _everything_works_here(check, there, ours, kind, django, seeded, whole)


def _way_back(check, directory, ours, kind, expected, engines):
    """What was moved is in an empty project of each engine as it was in the first one."""
    status, exported, complaint = countersign(ours.address, "export")
    check.holds("the export is done", status == 0, complaint)
    path = Path(directory, "export.json")
    path.write_text(exported)
    for engine in engines:
        back = Path(directory, f"back-{engine}")
        back.mkdir()
        with database_of(back, engine) as database:
            settings = {"PROJECT": kind, "PASSWORD_HASHERS": ",".join(PROJECTS[kind])}
            with Django(back, database.address, **settings) as django:
                django.manage("migrate", "--no-color")
                loaded = django.manage("loaddata", str(path))
                check.holds(f"loaddata takes it on {engine}", loaded.returncode == 0, loaded.stdout + loaded.stderr)
                dump = _dump(django)
                check.holds(f"dumpdata is then what it was, on {engine}", dump == expected, _difference(dump, expected))
                _logs_in_at_django(check, django, engine, expected)
                made = django.post("/create-user/", username="later", password=PASSWORD)
                ids = [user["pk"] for user in expected if user["model"] == "auth.user"]
                is_fresh = made.status == 201 and made["id"] not in ids
                check.holds(f"a user made there gets a fresh id, on {engine}", is_fresh, made.text[:200])
        again = Path(directory, f"again-{engine}")
        again.mkdir()
        with database_of(again, engine) as database:
            status, _, complaint = countersign(database.address, "import", str(path))
            check.holds(f"our import takes it on {engine}", status == 0, complaint)
            status, twice, _ = countersign(database.address, "export")
            check.holds(f"and exports it to the byte, on {engine}", twice == exported, f"{twice[:300]}, not {exported[:300]}")


def _logs_in_at_django(check, django, engine, expected):
    """Their hashes are known to be the same: one user of each kind of answer will do."""
    users = {each["fields"]["username"] for each in expected if each["model"] == "auth.user"}
    for user, status in [("staff", 200), ("inactive", 401), ("unusable", 401)]:
        check.holds(f"{user} is there, on {engine}", user in users, users)
        check.answers(f"{user} logs in at Django again, if before, on {engine}", django.log_in(user), status)
    check.answers(f"nobody does by a wrong password, on {engine}", django.log_in("staff", f"{PASSWORD}!"), 401)


def _everything_works_here(check, directory, ours, kind, django, seeded, whole=True):
    settings = SETTINGS[kind] | {"TOKEN_CLAIMS": "groups,permissions,is_staff,is_superuser"}
    with Countersign(directory, database=ours.address, **settings) as server:
        for username in [*seeded["hashers"], "staff", "member", "root", "\ufb01sh"]:
            check.answers(f"a wrong password of {username} is refused", server.log_in(username, f"{PASSWORD}!"), 401)
            check.answers(f"{username} logs in here with the old password", server.log_in(username), 200)
        for username in ["inactive", "unusable"]:
            check.answers(f"{username} is refused as before", server.log_in(username), 401)
        people = django.script("people")
        # A superuser has every permission that the database knows.
        for username in ["staff", "member", *(["root"] if whole else [])]:
            got = claims(server.log_in(username)["access"])
            for claim in ["groups", "permissions", "is_staff", "is_superuser"]:
                expected = people[username][claim]
                check.holds(f"{username}'s {claim} are as before", got[claim] == expected, f"{got[claim]}, not {expected}")
        tokens = seeded["tokens"]
        check.answers("a live token of Django refreshes", server.refresh(tokens["live"]["refresh"]), 200)
        check.answers("its access token is good", server.me(tokens["live"]["access"]), 200, '"member"')
        blacklisted = server.refresh(tokens["blacklisted"]["refresh"])
        check.answers("a blacklisted one is refused", blacklisted, 401, BLACKLISTED)
        check.answers("an expired one is refused", server.refresh(tokens["expired"]["refresh"]), 401, "expired")
        made = server.post("/user/api/register/", username="later", email="a@b.example", password=PASSWORD)
        is_fresh = made.status == 201 and made["id"] > max(person["id"] for person in people.values())
        check.holds("a new user gets a fresh id", is_fresh, made.text[:200])


def _dump(django):
    """Everything that is moved, permissions by their natural keys, lists that have no order sorted."""
    done = django.manage("dumpdata", *DUMPED, "--natural-foreign")
    if done.returncode != 0:
        raise RuntimeError(f"dumpdata failed: {done.stderr}")
    objects = json.loads(done.stdout)
    for each in objects:
        for name, value in each["fields"].items():
            if isinstance(value, list):
                value.sort()
            elif isinstance(value, str) and value.endswith(".000Z"):
                # Django cuts microseconds off: what is less than a thousandth of a second comes back as none at all.
                each["fields"][name] = value.removesuffix(".000Z") + "Z"
    return sorted(objects, key=lambda each: (each["model"], each["pk"]))


def _difference(found, expected):
    return next(((one, other) for one, other in zip(found, expected) if one != other), (len(found), len(expected)))


def _url(database):
    return str(database.address) if str(database.address).startswith("postgresql:") else f"sqlite:{database.address}"

