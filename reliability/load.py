"""The load: clients that register, log in, refresh and log out, and write down what they were promised.

A client whose answer was lost asks again, as real ones do, and knows from then on what became of it. Whatever is
neither the right answer nor an honest refusal (503 with Retry-After, the proxy's own 502, 503 or 504, a broken
connection) is written down as wrong.
"""

import base64
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter

PASSWORD = "correct horse battery staple"
# A client's answer has to come within this time of its first asking, or the service has not come back.
PATIENCE_SECS = 50
_names = itertools.count()


class Answer:
    def __init__(self, status, headers, text):
        self.status = status
        self.headers = headers
        self.text = text

    def json(self):
        return json.loads(self.text)

    def __str__(self):
        return f"{self.status} {self.text[:200]}"


class Caller:
    """One kept connection to one address."""

    def __init__(self, port, timeout=20):
        self.port = port
        self.timeout = timeout
        self.connection = None

    def ask(self, method, path, body=None, access=None):
        """The answer; OSError or HTTPException if none came."""
        headers = {"Content-Type": "application/json"}
        if access:
            headers["Authorization"] = f"Bearer {access}"
        text = json.dumps(body) if body is not None else None
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.connection.request(method, path, text, headers)
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode())
            if response.will_close:
                self.close()
            return answer
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def register(self, username):
        return self.ask("POST", "/user/api/register/", {"username": username, "password": PASSWORD})

    def log_in(self, username, password=PASSWORD):
        return self.ask("POST", "/user/api/login/", {"username": username, "password": password})

    def refresh(self, refresh):
        return self.ask("POST", "/user/api/token/refresh/", {"refresh": refresh})

    def me(self, access):
        return self.ask("GET", "/user/api/me/", access=access)

    def log_out(self, access):
        # No body: an answer given before one has arrived ends the connection.
        return self.ask("POST", "/user/api/logout/", None, access)

    def blacklist(self, refresh):
        return self.ask("POST", "/user/api/token/blacklist/", {"refresh": refresh})


class Session:
    """What a client knows of a login of its own."""

    def __init__(self, username, tokens):
        self.username = username
        self.refresh = tokens["refresh"]
        self.access = tokens["access"]
        self.id = claims(self.access)["sid"]
        # How often its refresh token was exchanged, and the token before the present one.
        self.generation = 0
        self.predecessor = None
        # "live", "logged out" (nothing of it may work), or "blacklisted" (its refresh token may not).
        self.state = "live"

    def succeed(self, tokens):
        """It was told of a successor."""
        self.predecessor = self.refresh
        self.refresh, self.access = tokens["refresh"], tokens["access"]
        self.generation += 1


class Record:
    """What all clients of a scenario were told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.users = []
        self.sessions = []
        self.outcomes = Counter()
        self.acknowledged = Counter()
        self.wrong = []
        self.good_at = []
        self.last_at = 0.0
        self.slowest = 0.0

    def note(self, outcome, began):
        now = time.monotonic()
        with self.lock:
            self.outcomes[outcome] += 1
            self.last_at = now
            self.slowest = max(self.slowest, now - began)
            if outcome == "right":
                self.good_at.append(now)

    def complain(self, sentence):
        with self.lock:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {sentence}")

    def promise(self, what):
        with self.lock:
            self.acknowledged[what] += 1

    def requests(self):
        return sum(self.outcomes.values())

    def longest_gap(self):
        """The longest time in which no client got a right answer."""
        times = [*sorted(self.good_at), self.last_at]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=float("inf"))


class GaveUp(Exception):
    """The service did not come back in time."""


class Client(threading.Thread):
    """Does what users do, one thing after the other, until told to stop; then finishes what it is at."""

    def __init__(self, port, record, stopping, seed, pause):
        super().__init__(daemon=True)
        self.caller = Caller(port)
        self.record = record
        self.stopping = stopping
        self.random = random.Random(seed)
        self.pause = pause
        self.kept = []

    def run(self):
        try:
            while not self.stopping.is_set():
                self.visit()
        except GaveUp:
            pass
        except Exception as error:  # a client that breaks off proves nothing
            self.record.complain(f"a client broke off: {type(error).__name__}: {error}")
        self.caller.close()

    def visit(self):
        """A new user's first login, a few refreshes, often the end; and now and then an older session goes on."""
        username = f"user-{next(_names)}"
        # Who asked before and got no answer, is told that the name is taken: by herself.
        self.until_answered("register", lambda: self.caller.register(username), {201}, {400})
        self.record.promise("registrations")
        with self.record.lock:
            self.record.users.append(username)
        session = Session(username, self.until_answered("login", lambda: self.caller.log_in(username), {200}).json())
        self.record.promise("logins")
        with self.record.lock:
            self.record.sessions.append(session)
        for _ in range(self.random.randint(1, 4)):
            self.refresh(session)
        if self.random.random() < 0.4:
            self.log_out(session)
        elif self.random.random() < 0.3:
            self.blacklist(session)
        else:
            self.kept.append(session)
        if self.kept and self.random.random() < 0.5:
            self.refresh(self.random.choice(self.kept))

    def refresh(self, session):
        presented = session.refresh
        tokens = self.until_answered("refresh", lambda: self.caller.refresh(presented), {200}).json()
        self.record.promise("successors")
        if tokens["refresh"] == presented:
            self.record.complain("a refresh token was not exchanged")
        if self.random.random() < 0.1:
            # Another tab was as fast: it gets the same successor.
            again = self.until_answered("refresh again", lambda: self.caller.refresh(presented), {200}).json()
            # Not the text: its signature may be another key's.
            if claims(again["refresh"])["jti"] != claims(tokens["refresh"])["jti"]:
                self.record.complain("a refresh token has two successors")
        session.succeed(tokens)
        if self.random.random() < 0.5:
            self.until_answered("me", lambda: self.caller.me(session.access), {200})

    def log_out(self, session):
        self.until_answered("logout", lambda: self.caller.log_out(session.access), {200}, {401})
        session.state = "logged out"
        self.record.promise("logouts")
        for refused in [lambda: self.caller.me(session.access), lambda: self.caller.refresh(session.refresh)]:
            self.until_answered("after logout", refused, {401})

    def blacklist(self, session):
        self.until_answered("blacklist", lambda: self.caller.blacklist(session.refresh), {200}, {401})
        session.state = "blacklisted"
        self.record.promise("blacklistings")
        self.until_answered("after blacklisting", lambda: self.caller.refresh(session.refresh), {401})

    def until_answered(self, what, ask, right, right_if_lost=frozenset()):
        """Asks until there is an answer that is not "later"; `right_if_lost` is right as well once one was lost."""
        deadline = time.monotonic() + PATIENCE_SECS
        was_lost = False
        while True:
            began = time.monotonic()
            try:
                answer = ask()
                outcome = outcome_of(answer)
            except (OSError, http.client.HTTPException) as error:
                answer = None
                outcome = "timed out" if isinstance(error, TimeoutError) else "broken"
            if outcome == "answered":
                if answer.status in right or (was_lost and answer.status in right_if_lost):
                    self.record.note("right", began)
                    time.sleep(self.pause)
                    return answer
                self.record.note("wrong", began)
                self.record.complain(f"{what}: {answer}{' (asked again)' if was_lost else ''}")
                raise GaveUp
            self.record.note(outcome, began)
            was_lost = True
            if time.monotonic() > deadline:
                self.record.complain(f"{what}: no answer within {PATIENCE_SECS} s, last {outcome}")
                raise GaveUp
            time.sleep(0.1)


def claims(token, part=1):
    """The claims of a token, or with 0 its header."""
    text = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def outcome_of(answer):
    """`answered`, or which kind of "later" this is."""
    if answer.status == 503 and answer.headers.get("Retry-After"):
        return "503"
    if answer.status in (502, 503, 504) and answer.headers.get("Content-Type") == "text/html":
        return "proxy"
    return "answered"


class Load:
    """Some clients at once, within `with`."""

    def __init__(self, port, clients=16, pause=0.02):
        self.record = Record()
        self.stopping = threading.Event()
        self.clients = [
            Client(port, self.record, self.stopping, f"{port}-{number}", pause) for number in range(clients)
        ]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for client in self.clients:
            client.join(PATIENCE_SECS * 3)
            if client.is_alive():
                self.record.complain("a client did not come to its end")


def check_promises(record, ports):
    """What was acknowledged, asked of the replicas themselves: how many promises were looked at, and the broken ones."""
    broken = []
    work = [("user", user) for user in record.users] + [("session", session) for session in record.sessions]
    work = list(enumerate(work))
    lock = threading.Lock()

    def one(callers, number, kind, thing):
        mine = callers[number % len(callers)]
        if kind == "user":
            answer = mine.log_in(thing)
            if answer.status != 200:
                yield f"the user {thing} cannot log in: {answer}"
        elif thing.state == "live":
            answer = mine.refresh(thing.refresh)
            if answer.status != 200:
                yield f"a successor of {thing.username} is refused: {answer}"
            else:
                thing.succeed(answer.json())
            for caller in callers:
                answer = caller.me(thing.access)
                if answer.status != 200:
                    yield f"an access token of {thing.username} is refused at {caller.port}: {answer}"
        else:
            for caller in callers:
                answer = caller.refresh(thing.refresh)
                if answer.status != 401:
                    yield f"the refresh token of {thing.username}, {thing.state}, works at {caller.port}: {answer}"
                answer = caller.me(thing.access)
                if thing.state == "logged out" and answer.status != 401:
                    yield f"the access token of {thing.username}, logged out, works at {caller.port}: {answer}"

    def worker():
        callers = [Caller(port) for port in ports]
        while True:
            with lock:
                if not work or len(broken) > 50:
                    break
                number, (kind, thing) = work.pop()
            try:
                found = list(one(callers, number, kind, thing))
            except (OSError, http.client.HTTPException) as error:
                found = [f"not to be checked: {kind}: {error!r}"]
            with lock:
                broken.extend(found)
        for caller in callers:
            caller.close()

    count = len(work)
    workers = [threading.Thread(target=worker, daemon=True) for _ in range(8)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return count, broken
