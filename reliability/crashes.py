"""`kill -9` again and again while one server is under load, on each engine, and a look into the database after each.

Killed are the server, also while it starts, the command line that changes a password, and PostgreSQL. Afterwards what was
acknowledged is there, whatever came of what was not is there whole, and nothing else is.
"""

import json
import os
import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing

from load import PASSWORD, Caller, Load, Session, check_promises
from processes import Replica, directory, free_ports

ROUNDS, ROUNDS_IF_QUICK = 100, 6
FIRST_STARTS, FIRST_STARTS_IF_QUICK = 30, 5
CLIENTS = 12
ENDED_BECAUSE = {
    "live": None, "logged out": "logged_out", "blacklisted": "blacklisted", "reused": "refresh_token_reused",
    "password changed": "password_changed",
}
USERS = "SELECT id, username FROM auth_user"
SESSIONS = "SELECT id, generation, ended_because FROM countersign_session"
EVENTS = "SELECT kind, subject, details FROM countersign_event"


class OnSqlite:
    """A file of its own, beside the other things of this run."""

    victims = ["server"]

    def __init__(self, name):
        self.path = directory() / f"{name}.sqlite3"
        self.url = f"sqlite:{self.path}"

    def look(self):
        """Users, sessions and events of one moment."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            return [connection.execute(query).fetchall() for query in (USERS, SESSIONS, EVENTS)]

    def complaints(self):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchall()
            return [line for line, in said if line != "ok"] + connection.execute("PRAGMA foreign_key_check").fetchall()

    def drop(self):
        self.path.unlink()


class OnPostgres:
    """A database of its own in this cluster."""

    victims = ["server", "PostgreSQL", "both"]

    def __init__(self, name, postgres):
        self.name, self.postgres = name, postgres
        postgres.query(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        self.url = f"postgresql://countersign@127.0.0.1:{postgres.port}/{name}"

    def look(self):
        """Users, sessions and events of one moment."""
        rows = [f"(SELECT json_agg(row_to_json(found)) FROM ({query}) AS found)" for query in (USERS, SESSIONS, EVENTS)]
        found = json.loads(self.postgres.query(f"SELECT json_build_array({', '.join(rows)})", self.name))
        return [[tuple(row.values()) for row in table or []] for table in found]

    def complaints(self):
        return []  # it checks its pages as it reads them

    def drop(self):
        """After a crash PostgreSQL asks the disk for each file that it has, which takes minutes where there are many."""
        self.postgres.query(f"DROP DATABASE {self.name} WITH (FORCE)")


class Operator(threading.Thread):
    """Changes passwords by the command line, one after the other, and is sometimes killed at it."""

    def __init__(self, server, number, luck):
        super().__init__(daemon=True)
        self.server, self.luck = server, luck
        self.usernames = [f"changing-{number}-{each}" for each in range(3)]
        self.sessions, self.passwords, self.changes = defaultdict(list), {}, Counter()
        self.unsure, self.wrong = {}, []
        self.stopping = threading.Event()

    def prepare(self):
        caller = Caller(self.server.port)
        for username in self.usernames:
            answers = [caller.register(username), caller.log_in(username)]
            self.passwords[username] = PASSWORD
            if [answer.status for answer in answers] == [201, 200]:
                self.sessions[username] = [Session(username, answers[1].json())]
            else:
                self.wrong.append(f"{username}: {', '.join(map(str, answers))}")
        caller.close()

    def run(self):
        for number, username in enumerate(self.usernames):
            self.change(username, f"{PASSWORD} {number}", self.luck.choice([None, self.luck.uniform(0, 0.12)]))
            if self.stopping.is_set():
                break

    def change(self, username, password, killed_after):
        command = [os.environ["COUNTERSIGN"], "changepassword", username, "--password-stdin"]
        with subprocess.Popen(
            command, env=self.server.environment, cwd=directory(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        ) as process:
            try:
                _, said = process.communicate(f"{password}\n", timeout=killed_after or 60)
            except subprocess.TimeoutExpired:
                process.kill()
                said = process.communicate()[1]
        if process.returncode == 0:
            self.has_changed(username, password)
        else:
            self.unsure[username] = password
            if process.returncode != -9 and "panicked" in said:
                self.wrong.append(f"changepassword {username}: {said}")

    def has_changed(self, username, password):
        self.passwords[username] = password
        self.changes[username] += 1
        for session in self.sessions[username]:
            session.state = "password changed"

    def find_out(self):
        """Which password is in force where nobody was told; exactly one is. Each login is a session more."""
        caller = Caller(self.server.port)
        for username in self.usernames:
            former, later = self.passwords[username], self.unsure.get(username)
            answers = {password: caller.log_in(username, password) for password in (former, later) if password}
            good = [password for password, answer in answers.items() if answer.status == 200]
            if len(good) != 1:
                self.wrong.append(f"{username}: {len(good)} passwords are in force: {answers}")
                continue
            if good[0] != former:
                self.has_changed(username, later)
            self.sessions[username].append(Session(username, answers[good[0]].json()))
        caller.close()


class Loop:
    """One server on one database, and all that was ever acknowledged by it."""

    def __init__(self, name, database, luck):
        self.database, self.luck = database, luck
        self.server = Replica(f"crashing-{name}", *free_ports(1), database.url)
        self.users, self.sessions, self.changes = set(), [], Counter()
        self.outcomes, self.acknowledged, self.killed = Counter(), Counter(), Counter()
        self.checked, self.wrong, self.lost, self.gap, self.slowest = 0, [], [], 0.0, 0.0

    def run(self, rounds):
        self.server.start()
        for number in range(rounds):
            self.round(number)
            if self.lost or self.wrong:
                print(f"  in round {number + 1}", flush=True)
                break
        self.server.kill()

    def round(self, number):
        operator = Operator(self.server, number, self.luck)
        operator.prepare()
        with Load(self.server.port, CLIENTS, pause=0) as load:
            time.sleep(self.luck.uniform(0.1, 0.5))
            operator.start()
            time.sleep(self.luck.uniform(0, 0.2))
            self.crash(self.database.victims[number % len(self.database.victims)])
            time.sleep(self.luck.uniform(0, 0.2))
            operator.stopping.set()
            operator.join()
        self.judge(load.record, operator)

    def crash(self, victim):
        self.killed[victim] += 1
        if victim != "server":
            self.database.postgres.kill_all()
        if victim != "PostgreSQL":
            self.server.kill()
        if victim != "server":
            self.database.postgres.start()
        if victim != "PostgreSQL":
            if self.luck.random() < 0.3:  # while it starts
                self.killed["server"] += 1
                self.server.start(wait=False)
                time.sleep(self.luck.uniform(0, 0.1))
                self.server.kill()
            self.server.start()

    def judge(self, record, operator):
        self.wrong += record.wrong
        operator.find_out()
        self.lost += operator.wrong
        self.users.update(record.users, operator.usernames)
        self.sessions += record.sessions + [each for mine in operator.sessions.values() for each in mine]
        self.changes.update(operator.changes)
        exchanged = [(each, each.predecessor) for each in record.sessions if each.state == "live" and each.predecessor]
        self.lost += self.look()
        count, broken = check_promises(record, [self.server.port])
        self.lost += broken
        # Now the newest tokens have been presented, so that those which they were handed out for are over.
        self.lost += present_again(Caller(self.server.port), exchanged[:5])
        self.checked += count + len(operator.usernames)
        self.outcomes.update(record.outcomes)
        self.acknowledged.update(record.acknowledged + Counter({"passwords": operator.changes.total()}))
        self.gap, self.slowest = max(self.gap, record.longest_gap()), max(self.slowest, record.slowest)

    def look(self):
        """What the database lacks of what was acknowledged, and what is half there."""
        yield from map(str, self.database.complaints())
        users, sessions, events = self.database.look()
        names = {str(key): name for key, name in users}
        yield from (f"the user {name} is lost" for name in self.users - set(names.values()))
        there = {key: (generation, because) for key, generation, because in sessions}
        for session in self.sessions:
            promised = (session.generation, ENDED_BECAUSE[session.state])
            if there.get(session.id) != promised:
                yield f"the session of {session.username} is {there.get(session.id)}, promised was {promised}"
        yield from told(names, there, events)
        changed = Counter(names.get(subject) for kind, subject, _ in events if kind == "password_changed")
        if changed != +self.changes:
            yield f"passwords were changed {+self.changes - changed} times more than is told, {changed - self.changes} less"
        try:
            self.server.command("audit", "verify")
        except RuntimeError as broken:
            yield str(broken)


def told(names, sessions, events):
    """Each act has its event, and each event its act."""
    created = Counter(subject for kind, subject, _ in events if kind == "user_created")
    begun, ended = Counter(), Counter()
    for kind, _, details in events:
        details = json.loads(details)
        if kind == "login":
            begun[details["session"]] += 1
        elif kind in ("session_ended", "refresh_reuse_detected"):
            ended[details["session"]] += 1
        elif kind == "password_changed":
            ended.update(details.get("sessions", "").split())
    over = Counter(key for key, (_, because) in sessions.items() if because)
    for what, acts, of_events in [
        ("users", Counter(names), created), ("sessions", Counter(sessions), begun), ("ends of sessions", over, ended),
    ]:
        acts = Counter(dict.fromkeys(acts, 1))
        if acts != of_events:
            yield f"{what} without an event: {list(acts - of_events)[:5]}, events without: {list(of_events - acts)[:5]}"


def present_again(caller, exchanged):
    """Tokens whose successors have been presented: each ends its session."""
    for session, token in exchanged:
        answers = [caller.refresh(token), caller.refresh(session.refresh), caller.me(session.access)]
        session.state = "reused"
        if [answer.status for answer in answers] != [401] * 3:
            yield f"a token of {session.username} that was exchanged before: {', '.join(map(str, answers))}"
    caller.close()


def first_starts(check, name, make, rounds, luck):
    """Killed while it makes its tables, and started again."""
    print(f"{name}: killed during its first start", flush=True)
    complaints = []
    for number in range(rounds):
        database = make(f"first_{number}")
        server = Replica(f"first-{name}-{number}", *free_ports(1), database.url)
        for _ in range(2):
            server.start(wait=False)
            time.sleep(luck.uniform(0, 0.15))
            server.kill()
        server.start()
        caller = Caller(server.port)
        statuses = [caller.register("ada").status, caller.log_in("ada").status]
        if statuses != [201, 200]:
            complaints.append(f"{statuses}")
        server.kill()
        complaints += map(str, database.complaints())
        database.drop()
    check.holds(f"{rounds} times it starts after all", not complaints, complaints)


def run(check, wanted, quick, postgres):
    """The loops on both engines; their rows of the table."""
    seed = os.environ.get("SEED") or str(time.time_ns())
    rows = []
    for name, make in [("SQLite", OnSqlite), ("PostgreSQL", lambda name: OnPostgres(name, postgres))]:
        luck = random.Random(f"{seed} {name}")
        if wanted(f"killed during its first start, {name}"):
            first_starts(check, name, make, FIRST_STARTS_IF_QUICK if quick else FIRST_STARTS, luck)
        if wanted(f"killed again and again, {name}"):
            rows.append(loop(check, name, make("crashes"), ROUNDS_IF_QUICK if quick else ROUNDS, luck, seed))
    return rows


def loop(check, name, database, rounds, luck, seed):
    print(f"{name}: killed again and again (SEED={seed})", flush=True)
    loop = Loop(name, database, luck)
    loop.run(rounds)
    killed = ", ".join(f"{victim} {count} times" for victim, count in loop.killed.items())
    check.holds(f"killed: {killed}", loop.killed.total() >= rounds, rounds)
    check.holds(f"{loop.outcomes.total()} requests, none answered wrongly", not loop.wrong, "; ".join(loop.wrong[:5]))
    check.holds(f"{loop.checked} promises kept, nothing half there", not loop.lost, "; ".join(loop.lost[:5]))
    return [
        f"{rounds} × kill -9, {name}", loop.outcomes.total(), loop.outcomes["503"], 0,
        loop.outcomes["broken"] + loop.outcomes["timed out"], loop.outcomes["wrong"], f"{loop.gap:.1f} s",
        f"{loop.slowest:.1f} s", loop.acknowledged.total(), loop.checked, len(loop.lost),
    ]
