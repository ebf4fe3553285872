"""Tokens of each are good at the other, by the same secret or key pair; and tokens of a stranger at neither."""

from keys import claims, damage, sign_again, sign_otherwise, simple_jwt
from servers import Countersign, Django


def tokens_pass_both_ways(check, directory, algorithm):
    settings = simple_jwt(algorithm)
    with Countersign(directory, settings) as ours, Django(directory, ours.database, settings) as django:
        alice = ours.register("alice")
        login = ours.log_in("alice")
        _ours_pass_simple_jwt(check, django, login, alice)
        _simple_jwts_pass_ours(check, ours, django, alice)
        _others_pass_neither(check, ours, django, login, algorithm)


def _ours_pass_simple_jwt(check, django, login, user):
    as_user = f'{{"kind":"User","id":"{user}"}}'
    check.answers("our access token passes JWTAuthentication", django.protected(login["access"]), 200, as_user)
    check.answers(
        "our access token passes JWTStatelessUserAuthentication",
        django.stateless(login["access"]),
        200,
        f'{{"kind":"TokenUser","id":"{user}"}}',
    )
    check.answers("our access token passes TokenVerifyView", django.post("/token/verify/", token=login["access"]), 200)
    refreshed = django.refresh(login["refresh"])
    check.answers("our refresh token passes TokenRefreshView", refreshed, 200, '"access"')
    check.answers("our refresh token is no access token to it", django.protected(login["refresh"]), 401)


def _simple_jwts_pass_ours(check, ours, django, user):
    for kind, how in [("", {}), (" with an integer id", {"integer_id": True})]:
        theirs = django.for_user("alice", **how)
        expected = int(user) if how else user
        got = claims(theirs["access"])["user_id"]
        check.holds(f"Simple JWT's token{kind} says who it is for", got == expected, f"{got!r}, not {expected!r}")
        me = ours.me(theirs["access"])
        check.answers(f"Simple JWT's access token{kind} passes ours", me, 200, '"username":"alice"')
        refreshed = ours.refresh(theirs["refresh"])
        check.answers(f"Simple JWT's refresh token{kind} passes ours", refreshed, 200, '"access"')
        again = django.protected(refreshed["access"])
        check.answers(f"the access token we make of it{kind} passes JWTAuthentication", again, 200, '"User"')
        check.answers(f"Simple JWT's refresh token{kind} is no access token to us", ours.me(theirs["refresh"]), 401)
    theirs_of_ours = django.refresh(ours.log_in("alice")["refresh"])["access"]
    check.answers("the access token it makes of our refresh token passes ours", ours.me(theirs_of_ours), 200)


def _others_pass_neither(check, ours, django, login, algorithm):
    access, refresh = login["access"], login["refresh"]
    # The same way of making them, with the right key: what follows is refused for its signature.
    check.answers("claims signed by PyJWT pass ours", ours.me(sign_again(access, algorithm)), 200)
    check.answers("claims signed by PyJWT pass Simple JWT", django.protected(sign_again(access, algorithm)), 200)
    for what, change in [
        ("signed with another key", lambda token: sign_otherwise(token, algorithm)),
        ("with a damaged signature", damage),
    ]:
        check.answers(f"an access token {what} is refused by us", ours.me(change(access)), 401)
        check.answers(f"an access token {what} is refused by Simple JWT", django.protected(change(access)), 401)
        check.answers(
            f"a stateless access token {what} is refused by Simple JWT", django.stateless(change(access)), 401
        )
        check.answers(f"a refresh token {what} is refused by us", ours.refresh(change(refresh)), 401)
        check.answers(f"a refresh token {what} is refused by Simple JWT", django.refresh(change(refresh)), 401)
