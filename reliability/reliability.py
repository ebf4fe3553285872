"""Faults under load, and afterwards: does what was acknowledged still hold? `run` starts this."""

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import clocks
import crashes
import disks
import patroni
from load import Caller, Load, check_promises, claims
from processes import (
    Nginx, Postgres, Replica, directory, free_ports, front, link, repeatedly, wait_until,
)


class Checks:
    """Sentences that have to hold."""

    def __init__(self):
        self.passed = self.failed = 0

    def holds(self, sentence, is_so, details=""):
        if is_so:
            self.passed += 1
            print(f"  ok      {sentence}")
        else:
            self.failed += 1
            print(f"  FAILED  {sentence}: {details}")
        sys.stdout.flush()


class System:
    """PostgreSQL, the link to it, three replicas, the proxy."""

    def __init__(self):
        self.postgres = Postgres()
        self.postgres.query("CREATE DATABASE accounts ENCODING 'UTF8' TEMPLATE template0")
        link_port, front_port, *ports = free_ports(5)
        self.link = link(link_port, self.postgres.port)
        self.link.start()
        url = f"postgresql://countersign@127.0.0.1:{link_port}/accounts"
        self.replicas = [Replica(number, port, url) for number, port in enumerate(ports, 1)]
        self.front = front(front_port, self.replicas)

    def start(self):
        """All at once, on an empty database."""
        for replica in self.replicas:
            replica.start(wait=False)
        for replica in self.replicas:
            replica.wait()
        self.front.start()
        self.wait_for_front()

    def wait_for_front(self):
        caller = Caller(self.front.port)

        def serves():
            try:
                return caller.me("x").status == 401
            except OSError:
                return False

        wait_until("the proxy has found a replica", serves)

    @property
    def ports(self):
        return [replica.port for replica in self.replicas]


# The scenarios: what is done to the system while it is under load. `length` is that of the fault in seconds.


def undisturbed(system, length):
    time.sleep(length)


def replica_killed(system, length):
    """One after the other, each up again before the next."""
    for replica in system.replicas[: 3 if length > 5 else 2]:
        replica.kill()
        time.sleep(length / 4)
        replica.start()
        time.sleep(length / 4)


def postgres_restarted(system, length):
    system.postgres.stop("fast")
    time.sleep(length / 4)
    system.postgres.start()


def postgres_crashed(system, length):
    system.postgres.stop("immediate")
    time.sleep(length / 4)
    system.postgres.start()


def backends_terminated(system, length):
    sql = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = 'accounts' AND pid <> pg_backend_pid()"
    )
    repeatedly(length, 0.3, lambda: system.postgres.query(sql))


def link_cut(system, length):
    """Connections break, new ones are closed at once; then they are let through again."""
    for _ in range(2):
        system.link.tell("set server link/postgres state maint")
        system.link.tell("shutdown sessions server link/postgres")
        time.sleep(length / 2)
        system.link.tell("set server link/postgres state ready")
        time.sleep(1)


def link_silent(system, length):
    """Nothing is refused and nothing answered, as when a cable is pulled; then what was sent arrives after all."""
    system.link.signal(signal.SIGSTOP)
    time.sleep(length)
    system.link.signal(signal.SIGCONT)


def link_lost(system, length):
    """Connections fall silent for good, as when the database's machine is gone and another takes over its address."""
    silent = system.link
    silent.tell("disable frontend link")  # it takes no new ones, which makes room for the other
    silent.signal(signal.SIGSTOP)
    system.link = link(silent.port, system.postgres.port, "haproxy-link-2")
    system.link.start()
    time.sleep(length)


# Each with its length, and its length in a quick run, of which it may be no part.
SCENARIOS = {
    "nothing happens": (undisturbed, 10, None),
    "a replica is killed (-9)": (replica_killed, 12, 4),
    "PostgreSQL restarts (fast)": (postgres_restarted, 12, 4),
    "PostgreSQL crashes (immediate)": (postgres_crashed, 12, 4),
    "backends are terminated": (backends_terminated, 8, 3),
    "the connection is cut": (link_cut, 8, 3),
    "the connection is silent": (link_silent, 14, 4),
    "the database's address moves": (link_lost, 25, None),
}


def run_scenario(check, name, system, quick, front_port=None):
    fault, long, short = SCENARIOS[name]
    name = f"{name}, nginx" if front_port else name
    print(f"{name}", flush=True)
    with Load(front_port or system.front.port) as load:
        time.sleep(1 if quick else 3)
        fault(system, short if quick else long)
        time.sleep(1 if quick else 4)
    return judge(check, name, load.record, system.ports)


def nginx_in_front(check, system):
    """It asks no replica whether it is well: a request has to fail first."""
    nginx = Nginx(*free_ports(1), system.replicas)
    nginx.start()
    row = run_scenario(check, "a replica is killed (-9)", system, False, nginx.port)
    nginx.kill()
    return row


def judge(check, name, record, ports):
    """The verdict on a load that is over, and its row of the table."""
    # Whoever was let down by the proxy a moment ago: the replicas themselves are asked now.
    count, broken = check_promises(record, ports)
    check.holds(f"{record.requests()} requests, none answered wrongly", not record.wrong, "; ".join(record.wrong[:5]))
    check.holds(f"{count} promises kept", not broken, "; ".join(broken[:5]))
    check.holds("there was a load", record.outcomes["right"] > 20, record.outcomes)
    return [
        name, record.requests(), record.outcomes["503"], record.outcomes["proxy"],
        record.outcomes["broken"] + record.outcomes["timed out"], record.outcomes["wrong"],
        f"{record.longest_gap():.1f} s", f"{record.slowest:.1f} s", sum(record.acknowledged.values()), count,
        len(broken),
    ]


COLUMNS = [
    "scenario", "requests", "503", "proxy's 50x", "broken", "wrong", "longest gap", "slowest", "acknowledged",
    "checked", "lost",
]


def print_table(rows):
    rows = [COLUMNS] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    print()
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)


def migrations_run_once(check, system, quick):
    """Processes that start at once on an empty database."""
    print("three processes start at once on an empty database", flush=True)
    for round_number in range(1 if quick else 5):
        name = f"empty_{round_number}"
        system.postgres.query(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        url = f"postgresql://countersign@127.0.0.1:{system.postgres.port}/{name}"
        replicas = [Replica(f"{name}-{port}", port, url) for port in free_ports(3)]
        for replica in replicas:
            replica.start(wait=False)
        try:
            for replica in replicas:
                replica.wait()
            error = None
        except RuntimeError as failure:
            error = failure
        check.holds("all three serve", error is None, error)
        names = system.postgres.query("SELECT name FROM countersign_migration ORDER BY name", name).split("\n")
        check.holds(f"{len(names)} migrations, each recorded once", len(names) == len(set(names)) >= 3, names)
        for replica in replicas:
            replica.kill()


def logout_is_felt_everywhere(check, system, quick):
    """A logout at one replica, and the very next request at the others."""
    print("a logout at one replica, the next request at another", flush=True)
    callers = [Caller(port) for port in system.ports]
    rounds, felt, details = (10 if quick else 60), 0, ""
    name = f"wanderer-{time.monotonic_ns()}"
    callers[0].register(name)
    for number in range(rounds):
        here, *others = callers[number % 3 :] + callers[: number % 3]
        tokens = here.log_in(name).json()
        before = [caller.me(tokens["access"]).status for caller in others]
        here.log_out(tokens["access"])
        after = [caller.me(tokens["access"]).status for caller in others]
        after += [caller.refresh(tokens["refresh"]).status for caller in others]
        if before == [200, 200] and after == [401] * 4:
            felt += 1
        else:
            details = f"before {before}, after {after}"
    check.holds(f"{rounds} logouts felt at once", felt == rounds, f"{rounds - felt} were not: {details}")


def refreshes_race(check, system, quick):
    """One refresh token at all replicas at once, and an old one that comes back at another replica."""
    print("one refresh token at three replicas at once", flush=True)
    callers = [Caller(port) for port in system.ports]
    name = f"racer-{time.monotonic_ns()}"
    callers[0].register(name)
    rounds, agreed, ended, details = (10 if quick else 60), 0, 0, []
    with ThreadPoolExecutor(12) as pool:
        for _ in range(rounds):
            first = callers[0].log_in(name).json()
            asked = [
                pool.submit(lambda port: Caller(port).refresh(first["refresh"]), port) for port in system.ports * 4
            ]
            answers = [future.result() for future in asked]
            if {answer.status for answer in answers} == {200}:
                agreed += len({claims(answer.json()["refresh"])["jti"] for answer in answers}) == 1
            else:
                details = [str(answer) for answer in answers]
            second = answers[0].json()
            third = callers[1].refresh(second["refresh"]).json()
            reused = callers[2].refresh(first["refresh"]).status
            after = [caller.refresh(third["refresh"]).status for caller in callers]
            after += [caller.me(third["access"]).status for caller in callers]
            ended += [reused, *after] == [401] * 7
    check.holds(f"{rounds} times twelve callers get one successor", agreed == rounds, details or agreed)
    check.holds(f"{rounds} times a token of long ago ends the session on all", ended == rounds, ended)


def keys_turn_under_load(check, system, quick):
    """Keys made and exchanged by the command line, while requests go to replicas that have not heard of it yet."""
    print("keys are made, exchanged and retired", flush=True)
    cli, slowest, refusals = system.replicas[0], 0.0, []
    rounds = 2 if quick else 5
    with Load(system.front.port) as load:
        time.sleep(1)
        for _ in range(rounds):
            cli.command("keys", "generate")
            cli.command("keys", "rotate", "--now")
            time.sleep(1 if quick else 2)
    row = judge(check, f"keys exchanged {rounds} times", load.record, system.ports)
    # Who retires a key without waiting logs its holders out, and only them.
    callers = [Caller(port) for port in system.ports]
    name = f"holder-{time.monotonic_ns()}"
    callers[0].register(name)
    old = callers[0].log_in(name).json()
    cli.command("keys", "generate")
    cli.command("keys", "rotate", "--now")
    wait_until("a new key signs", lambda: kid(callers[0].log_in(name).json()["access"]) != kid(old["access"]), 5)
    new = callers[0].log_in(name).json()
    for caller in callers:
        check.holds("the former key's token is good", caller.me(old["access"]).status == 200)
        check.holds("the new key's token is good", caller.me(new["access"]).status == 200)
    cli.command("keys", "retire", kid(old["access"]), "--now")
    retired = time.monotonic()
    for caller in callers:
        while (answer := caller.me(old["access"])).status == 200 and time.monotonic() < retired + 10:
            time.sleep(0.02)
        slowest = max(slowest, time.monotonic() - retired)
        refusals.append(answer.status)
    check.holds(
        f"a retired key's tokens are refused everywhere after {slowest:.1f} s",
        refusals == [401] * 3 and slowest < 5, f"{refusals}",
    )
    refused = [caller.refresh(old["refresh"]).status for caller in callers]
    check.holds("its refresh tokens as well", refused == [401] * 3, refused)
    good = [caller.me(new["access"]).status for caller in callers]
    check.holds("the new key's tokens stay good", good == [200] * 3, good)
    return row


def kid(token):
    return claims(token, 0).get("kid", "configured")


def new_keys_are_found(check, system, quick):
    """Tokens of a key that a replica has not heard of yet: it has to look, and must not refuse before it has looked."""
    print("a replica meets tokens of a key it does not know", flush=True)
    signs, sleeps = system.replicas[0], system.replicas[1]
    here = Caller(signs.port)
    name = f"newcomer-{time.monotonic_ns()}"
    here.register(name)
    for number in range(2 if quick else 5):
        sleeps.signal(signal.SIGSTOP)
        access = token_of_new_key(signs, here, name)
        # They wait at its door, all at once.
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(lambda: Caller(sleeps.port).me(access).status) for _ in range(8)]
            time.sleep(0.2)
            sleeps.signal(signal.SIGCONT)
            statuses = [answer.result() for answer in asked]
        check.holds("eight at once are all taken", statuses == [200] * 8, statuses)
    sleeps.signal(signal.SIGSTOP)
    access = token_of_new_key(signs, here, name)
    system.link.tell("set server link/postgres state maint")
    system.link.tell("shutdown sessions server link/postgres")
    sleeps.signal(signal.SIGCONT)
    answers = [Caller(sleeps.port).me(access) for _ in range(3)]
    system.link.tell("set server link/postgres state ready")
    statuses = [answer.status for answer in answers]
    check.holds("it says 503 while it cannot look", statuses == [503] * 3, [str(answer) for answer in answers])
    wait_until("it finds the key afterwards", lambda: Caller(sleeps.port).me(access).status == 200, 10)


def token_of_new_key(signs, caller, name):
    former = kid(caller.log_in(name).json()["access"])
    signs.command("keys", "generate")
    signs.command("keys", "rotate", "--now")
    deadline = time.monotonic() + 5
    while kid(access := caller.log_in(name).json()["access"]) == former:
        if time.monotonic() > deadline:
            raise RuntimeError("the new key does not sign")
        time.sleep(0.02)
    return access


def main():
    parser = argparse.ArgumentParser(prog="reliability/run")
    parser.add_argument("--quick", action="store_true", help="shorter faults, about three minutes")
    parser.add_argument("--patroni", action="store_true", help="kill the primary of a Patroni cluster")
    parser.add_argument("--crashes", action="store_true", help="kill one server again and again, fill its disk, set its clock")
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of scenarios' names; all without")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = lambda name: not arguments.names or any(part in name for part in arguments.names)  # noqa: E731
    check, rows, began = Checks(), [], time.monotonic()
    print(f"{os.cpu_count()} cores, {platform.system()}, {version('haproxy', '-v')}")
    try:
        if arguments.patroni:
            rows = patroni.run(check, judge, wanted)
        elif arguments.crashes:
            postgres = Postgres()
            print(postgres.version(), flush=True)
            rows = one_server(check, wanted, arguments.quick, postgres)
        else:
            rows = run_all(check, wanted, arguments.quick)
    except Exception as error:  # whatever it was: a run that breaks off is a check that failed
        check.holds("runs to its end", False, f"{type(error).__name__}: {error}")
        if os.environ.get("KEEP") == "1":
            print(f"  logs: {directory()}")
    print_table(rows)
    print(f"in {time.monotonic() - began:.0f} s")
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed or not check.passed else 0


def run_all(check, wanted, quick):
    system = System()
    print(system.postgres.version(), flush=True)
    system.start()
    rows = []
    if wanted("migrations"):
        migrations_run_once(check, system, quick)
    if wanted("logout"):
        logout_is_felt_everywhere(check, system, quick)
    if wanted("refreshes race"):
        refreshes_race(check, system, quick)
    for name in SCENARIOS:
        if wanted(name) and not (quick and SCENARIOS[name][2] is None):
            rows.append(run_scenario(check, name, system, quick))
    if wanted("nginx") and not quick:
        rows.append(nginx_in_front(check, system))
    if wanted("keys"):
        new_keys_are_found(check, system, quick)
        rows.append(keys_turn_under_load(check, system, quick))
    if quick:
        rows += one_server(check, wanted, quick, system.postgres)
    return rows


def one_server(check, wanted, quick, postgres):
    """What is done to a single server, on each engine."""
    rows = crashes.run(check, wanted, quick, postgres) + disks.run(check, judge, wanted, quick, postgres)
    clocks.run(check, wanted, postgres)
    return rows


def version(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]


sys.exit(main())
