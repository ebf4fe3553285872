"""The clock of a machine that is set, forward and back, while the server runs: under libfaketime, which is not there everywhere.

A session of before goes on once the clock is right again; a token is refused when its time is over by the clock, and the
server neither ends nor hangs.
"""

import glob

from crashes import OnPostgres, OnSqlite
from load import Caller
from processes import Replica, directory, free_ports

MINUTE, HOUR, YEAR = 60, 3600, 365 * 24 * 3600


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else None


class Clock:
    """A clock that is off by so many seconds; what only counts seconds goes on as it is."""

    def __init__(self):
        self.file = directory() / "clock"
        self.environment = {
            "LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, seconds):
        other = self.file.with_suffix(".new")
        other.write_text(f"{seconds:+d}\n")
        other.replace(self.file)  # at once, as it is read all the time


def run(check, wanted, postgres):
    """On each engine."""
    if not wanted("clock"):
        return
    if not library():
        print("SKIPPED: clocks are NOT set under a running server: there is no libfaketime here: install faketime", flush=True)
        return
    on_engine(check, "SQLite", OnSqlite("clock").url)
    on_engine(check, "PostgreSQL", OnPostgres("clock", postgres).url)


def on_engine(check, name, url):
    print(f"the clock is set, {name}", flush=True)
    clock = Clock()
    server = Replica(f"clock-{name}", *free_ports(1), url, ACCESS_TOKEN_LIFETIME="5m", LEEWAY="10", THROTTLE="on")
    server.environment |= clock.environment
    server.start()
    caller = Caller(server.port)
    caller.register("ada")
    tokens = caller.log_in("ada").json()

    # A login also sweeps what is over, which on SQLite, where no other clock says otherwise, is everything in a year.
    for seconds, is_good, logs_in in [
        (0, True, True), (4 * MINUTE, True, True), (5 * MINUTE + 15, False, True), (YEAR, False, name != "SQLite"),
        (0, True, True), (-HOUR, False, True), (-20 * YEAR, False, True), (-5, True, True), (0, True, True),
    ]:
        clock.set(seconds)
        seen = caller.me(tokens["access"]).status, caller.log_in("ada").status if logs_in else 200
        sentence = f"{seconds:+d} s: a token is {'good' if is_good else 'refused'}, and logins go on"
        check.holds(sentence, seen == (200 if is_good else 401, 200), seen)
    successor = caller.refresh(tokens["refresh"])
    check.holds("the session goes on", successor.status == 200, successor)
    ready = caller.ask("GET", "/readyz").status
    check.holds("it is alive and ready", (server.process.poll(), ready) == (None, 200), (server.process.poll(), ready))
    check.holds("the audit log is whole", server.command("audit", "verify"))
    said = server.log.read_text()
    check.holds("nothing panicked", "panicked" not in said, said[-500:])
    server.kill()
