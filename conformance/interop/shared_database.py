"""Both servers at work on one SQLite database that Countersign made: tables, passwords, blacklist."""

from concurrent.futures import ThreadPoolExecutor

from servers import PASSWORD, Countersign, Django

BLACKLISTED = "Token is blacklisted"


def django_runs_on_our_database(check, directory):
    with Countersign(directory) as ours, Django(directory, ours.database) as django:
        ours.register("alice")
        _nothing_to_do(check, django, "migrate", "--check")
        _nothing_to_do(check, django, "makemigrations", "--check", "--dry-run")
        plan = django.manage("migrate", "--no-color")
        done = plan.stdout + plan.stderr
        check.holds("migrate finds nothing to do", "No migrations to apply." in done, done)
        check.answers("an account outlives Django's migrate", django.for_user("alice"), 200)
        check.answers("an account can log in after Django's migrate", ours.log_in("alice"), 200)
        state = ours.command("check")
        check.holds("`countersign check` has no complaint afterwards", state["findings"] == [], state)


def _nothing_to_do(check, django, *arguments):
    done = django.manage(*arguments)
    sentence = f"`manage.py {' '.join(arguments)}` finds nothing to do"
    check.holds(sentence, done.returncode == 0, done.stdout + done.stderr)


def passwords_are_read_by_both(check, directory, hasher):
    with Countersign(directory, PASSWORD_HASHER=hasher) as ours, Django(directory, ours.database) as django:
        ours.register("alice")
        theirs = django.post("/token/", username="alice", password=PASSWORD)
        check.answers("Django logs our user in", theirs, 200, '"access"')
        check.answers("Django's token for our user passes ours", ours.me(theirs["access"]), 200, '"username":"alice"')
        check.answers("we log our user in after Django has seen the hash", ours.log_in("alice"), 200)
        wrong = django.post("/token/", username="alice", password=f"{PASSWORD}!")
        check.answers("a wrong password is refused by Django", wrong, 401)
        django.post("/create-user/", username="bob", password=PASSWORD)
        login = ours.log_in("bob")
        check.answers("we log Django's user in", login, 200, '"access"')
        check.answers(
            "our token for Django's user passes JWTAuthentication", django.protected(login["access"]), 200, '"User"'
        )
        back = django.post("/token/", username="bob", password=PASSWORD)
        check.answers("Django logs its user in after we have seen the hash", back, 200)
        wrong = ours.post("/user/api/login/", username="bob", password=f"{PASSWORD}!")
        check.answers("a wrong password is refused by us", wrong, 401)


def blacklist_is_shared(check, directory, peer):
    with Countersign(directory, DJANGO_PEER=peer) as ours, Django(directory, ours.database) as django:
        ours.register("alice")
        mints = {"our": lambda: ours.log_in("alice"), "Simple JWT's": lambda: django.for_user("alice")}
        for whose, mint in mints.items():
            by_django, by_us, other = (mint()["refresh"] for _ in range(3))
            check.answers(f"Django blacklists {whose} refresh token", django.blacklist(by_django), 200)
            check.answers(f"we blacklist {whose} refresh token", ours.blacklist(by_us), 200)
            for who, token in [("Django", by_django), ("us", by_us)]:
                sentence = f"{whose} refresh token, blacklisted by {who}, is refused by"
                check.answers(f"{sentence} us", ours.refresh(token), 401, BLACKLISTED)
                check.answers(f"{sentence} Django", django.refresh(token), 401, BLACKLISTED)
            check.answers(f"another of {whose} refresh tokens passes ours", ours.refresh(other), 200)
            check.answers(f"another of {whose} refresh tokens passes Django", django.refresh(other), 200)


def django_ends_what_we_recorded(check, directory):
    """With `DJANGO_PEER`, each login is in Django's table of outstanding tokens, where projects look for it."""
    with Countersign(directory, DJANGO_PEER="on") as ours, Django(directory, ours.database) as django:
        ours.register("alice")
        ours.register("bob")
        alice, bob = ours.log_in("alice")["refresh"], ours.log_in("bob")["refresh"]
        check.answers(
            "a project blacklists all tokens of a user", django.post("/blacklist-all/", username="alice"), 200
        )
        check.answers("a token of ours that it blacklisted is refused by us", ours.refresh(alice), 401, BLACKLISTED)
        check.answers("and it is refused by Django", django.refresh(alice), 401, BLACKLISTED)
        check.answers("another user's token passes ours", ours.refresh(bob), 200)
        check.answers("another user's token passes Django", django.refresh(bob), 200)


def rotation_is_shared(check, directory):
    rotating = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
    with (
        Countersign(directory, rotating, DJANGO_PEER="on") as ours,
        Django(directory, ours.database, rotating) as django,
    ):
        ours.register("alice")
        mints = {"our": lambda: ours.log_in("alice"), "Simple JWT's": lambda: django.for_user("alice")}
        for whose, mint in mints.items():
            first = mint()["refresh"]
            second = django.refresh(first)["refresh"]
            check.answers(f"Django rotates {whose} token, and the successor passes ours", ours.refresh(second), 200)
            check.answers(f"{whose} token that Django rotated is refused by us", ours.refresh(first), 401, BLACKLISTED)
            first = mint()["refresh"]
            second = ours.refresh(first)["refresh"]
            check.answers(f"we rotate {whose} token, and the successor passes Django", django.refresh(second), 200)
            check.answers(
                f"{whose} token that we rotated is refused by Django", django.refresh(first), 401, BLACKLISTED
            )


def both_write_at_once(check, directory):
    rounds = range(15)
    with Countersign(directory, DJANGO_PEER="on") as ours, Django(directory, ours.database) as django:
        ours.register("alice")
        with ThreadPoolExecutor(8) as pool:
            here = [pool.submit(ours.log_in, "alice") for _ in rounds]
            there = [pool.submit(django.for_user, "alice") for _ in rounds]
            here, there = [login.result() for login in here], [login.result() for login in there]
            ended = [pool.submit(ours.blacklist, login["refresh"]) for login in there]
            ended += [pool.submit(django.blacklist, login["refresh"]) for login in here]
            ended = [answer.result() for answer in ended]
            refused = [pool.submit(django.refresh, login["refresh"]) for login in there]
            refused += [pool.submit(ours.refresh, login["refresh"]) for login in here]
            refused = [answer.result() for answer in refused]
        _all_are(check, f"{len(rounds)} logins here while {len(rounds)} are made there", here + there, 200)
        _all_are(check, "each blacklists the tokens of the other", ended, 200)
        _all_are(check, "each refuses its own tokens that the other blacklisted", refused, 401)


def _all_are(check, sentence, answers, status):
    other = [f"{answer.status} {answer.text[:200]}" for answer in answers if answer.status != status]
    check.holds(
        sentence, answers and not other, f"{len(other)} of {len(answers)} are not {status}, such as {other[:1]}"
    )
