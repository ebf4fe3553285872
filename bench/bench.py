"""The benchmark: every system in turn, again and again, and what is physically possible beside it in the same run.

`run` builds and installs what is needed and starts this.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import requests

import growth
import report
from load import Load, Oha, Steady
from processes import Postgres, directory
from systems import BareHttp, Server, described, yardstick

ENDPOINTS = ["me", "refresh", "verify", "rotate", "login", "register"]
NAMES = [*ENDPOINTS, "hashing", "postgresql", "storm", "memory", "growth", "variants"]
# Logins that are offered in the storm: ten times what two cores can hash.
STORM_PER_SECOND = 1300
# More than may wait for a hash, so that some are left who are refused, and ask again.
STORM_CONNECTIONS = 1024
# By oha, which speaks both: connections, and what oha is told.
PROTOCOLS = [
    ("HTTP/1.1", 32, []),
    ("HTTP/2", 32, ["--http2"]),
    ("HTTP/2, 8 streams each", 4, ["--http2", "-p", "8"]),
]


class Plan(NamedTuple):
    """How long and how often."""

    seconds: int
    hash_seconds: int
    rounds: int
    warm_up: int


FULL = Plan(seconds=4, hash_seconds=8, rounds=5, warm_up=2)
# Nothing is judged by it, so that nothing has to be warm.
QUICK = Plan(seconds=1, hash_seconds=2, rounds=1, warm_up=0)


class Bench:
    """Servers that are up, and every figure so far: {measurement: {system: [figures, a round each]}}."""

    def __init__(self, plan, only, without):
        self.plan, self.only, self.without = plan, only, without
        self.systems = described()
        self.figures, self.facts = {}, {}
        self.servers = {}

    def wants(self, name):
        return self.only in ("", name) and name not in self.without

    def server(self, system, kind, **environment):
        """Up and warm; the same one for the same question."""
        key = (system, kind, *environment.items())
        if key not in self.servers:
            self.servers[key] = Server(self.systems[system], kind, **environment).start()
        return self.servers[key]

    def note(self, measurement, system, figures):
        self.figures.setdefault(measurement, {}).setdefault(system, []).append(figures)
        rate = figures.per_second if hasattr(figures, "per_second") else figures
        print(f"  {measurement:24} {system:24} {rate:12,.1f} /s", flush=True)

    # The endpoints, beside bare axum and the original.

    def endpoints(self):
        wanted = [what for what in ENDPOINTS if self.wants(what)]
        if not wanted:
            return
        peers = list(self.systems)
        sizes = {what: self._answer_size(what) for what in wanted}
        bare = BareHttp(sizes.values()).start()
        bare.name = "bare axum"
        loads = {}
        for number in self._rounds():
            for what in wanted:
                seconds = self._seconds(what, number)
                for peer in peers:
                    server = self._server_for(peer, what)
                    # Tokens and chains are as fresh as the run.
                    loads[peer] = Load(server, what, connections=32)
                    figures = loads[peer].run(server, seconds)
                    if number >= 0:
                        self.note(what, peer, figures)
                if what not in ("login", "register"):
                    figures = loads["countersign"].run(bare, seconds, path=f"/{sizes[what]}")
                    if number >= 0:
                        self.note(what, "bare axum", figures)
                if what == "rotate" and number >= 0:
                    file = directory() / f"commits-{number}.sqlite3"
                    self.note("commits", "raw, 32 to a commit", yardstick("commits", file, 32, seconds))
                if what == "login" and number >= 0:  # between both that hash
                    self.note("hashes", "raw", yardstick("hashes", "ours", seconds))
        self.facts["memory after the load, MiB"] = {
            server.name: server.memory_mib() for server in [*self.servers.values(), bare]
        }
        bare.kill()

    def _rounds(self):
        """Their numbers; that of the one before, which only warms up, is less than 0."""
        return range(-1 if self.plan.warm_up else 0, self.plan.rounds)

    def _seconds(self, what, number):
        if number < 0:
            return self.plan.warm_up
        return self.plan.hash_seconds if what in ("login", "register") else self.plan.seconds

    def _server_for(self, peer, what):
        return self.server(peer, "rotating" if what == "rotate" else "plain")

    def _answer_size(self, what):
        server = self._server_for("countersign", what)
        name, access, refresh = server.log_everybody_in()[0]
        values = {"u": f"size-{what}" if what == "register" else name, "p": "correct horse battery staple"}
        return server.ask(what, **values, a=access, r=refresh)[1]

    # What is no server.

    def hashing(self):
        if not self.wants("hashing"):
            return
        for _ in range(self.plan.rounds):
            for which in ["ours", "fresh"]:
                self.note("hashing", which, yardstick("hashes", which, self.plan.hash_seconds))
            for peer in self.systems:
                server = self.server(peer, "argon2")
                self.note("login, equal hashes", peer, Load(server, "login", 32).run(server, self.plan.hash_seconds))

    # PostgreSQL, with twice the connections.

    def postgresql(self):
        if not self.wants("postgresql"):
            return
        postgres = Postgres()
        for name in ["plain", "rotating"]:
            postgres.query(f"CREATE DATABASE {name}")
        url = f"postgresql://countersign@127.0.0.1:{postgres.port}"
        rounds = self._rounds()
        for number in rounds:
            for what in ["me", "refresh", "rotate"]:
                kind = "rotating" if what == "rotate" else "plain"
                for engine, more in [("SQLite", {}), ("PostgreSQL", {"DATABASE_URL": f"{url}/{kind}"})]:
                    server = self.server("countersign", kind, **more)
                    figures = Load(server, what, connections=64).run(server, self._seconds(what, number))
                    if number >= 0:
                        self.note(f"{what}, 64 connections", engine, figures)
                if number == rounds.start:
                    # Its plans are made of what it has seen of the tables.
                    postgres.query("ANALYZE", database=kind)

        for kind, what in [("plain", "me"), ("rotating", "rotate")]:
            more = {"DATABASE_URL": f"{url}/{kind}"}
            people = self.server("countersign", kind, **more).people
            servers = [Server(self.systems["countersign"], kind, **more).start() for _ in range(3)]
            for server in servers:
                server.people = people  # who log in at each
            loads = [Load(server, what, connections=21) for server in servers]
            with ThreadPoolExecutor(3) as pool:
                together = [pool.submit(load.run, server, self.plan.seconds) for load, server in zip(loads, servers)]
                self.note(f"{what}, 64 connections", "three replicas", sum(one.result().per_second for one in together))
            for server in servers:
                server.kill()

    # A storm of logins.

    def storm(self):
        if not self.wants("storm"):
            return
        server = self.server("countersign", "plain")
        for _ in range(self.plan.rounds):
            quiet = Steady(server, "me", 500, 16, self.plan.hash_seconds).p99_ms()
            seconds = self.plan.hash_seconds + 4
            storm = Steady(server, "login", STORM_PER_SECOND, STORM_CONNECTIONS, seconds)
            time.sleep(2)
            beside = Steady(server, "me", 500, 16, self.plan.hash_seconds).p99_ms()
            statuses = storm.result()["statusCodeDistribution"]
            if not {"200"} <= set(statuses) <= {"200", "503"}:
                raise RuntimeError(f"logins in a storm are answered {statuses}")
            self.note("logins of the storm", "answered", sum(statuses.values()) / seconds)
            self.note("logins of the storm", "of which hashed", statuses["200"] / seconds)
            self.figures.setdefault("p99 of me, ms", {}).setdefault("quiet", []).append(quiet)
            self.figures["p99 of me, ms"].setdefault("beside a storm of logins", []).append(beside)
            print(f"  p99 of me: {quiet:.2f} ms, beside a storm of logins {beside:.2f} ms ({statuses})", flush=True)

    # Memory and start.

    def memory(self):
        if not self.wants("memory"):
            return
        server = Server(self.systems["countersign"], "plain").start()
        requests.get(f"{server.url}/healthz", timeout=10)
        memory = {"idle": server.memory_mib()}
        first = growth.idle_connections(server.port, 100)  # what they touch of the program's file is touched once
        before = server.memory_mib()
        idle = growth.idle_connections(server.port, 2000)
        memory["per idle connection, KiB"] = (server.memory_mib() - before) * 1024 / len(idle)
        for connection in first + idle:
            connection.close()
        million = 10_000 if self.plan.seconds == QUICK.seconds else 1_000_000
        load, done = Load(server, "me", 32), 0
        memory["after a login, a hash for each core"] = server.memory_mib()
        while done < million:
            figures = load.run(server, self.plan.seconds)
            done += figures.per_second * self.plan.seconds
            load = Load(server, "me", 32)
        memory[f"after {million:,} requests"] = server.memory_mib()
        server.kill()
        self.facts["memory, MiB"] = memory
        self.facts["exec to first answer, ms"] = {
            "median of 20": statistics.median(growth.start_ms(server) for _ in range(20))
        }
        self.facts["size, MiB"] = {"program": os.path.getsize(os.environ["COUNTERSIGN"]) / 2**20}

    def growth(self):
        if not self.wants("growth"):
            return
        sizes = {"small": (1_000, 2_000), "large": (5_000_000, 10_000_000)}
        servers = {name: growth.filled(self.systems["countersign"], *size) for name, size in sizes.items()}
        for number in self._rounds():
            for what in ["me", "refresh"]:
                for name, server in servers.items():
                    load = growth.AllOver(server, what, 32, *sizes[name])
                    figures = load.run(server, self._seconds(what, number))
                    if number >= 0:
                        self.note(f"{what}, growth", name, figures)
        users, sessions = sizes["large"]
        self.facts["database, bytes"] = growth.bytes_per_row(servers["large"].home / "accounts.sqlite3", users, sessions)
        for server in servers.values():
            server.kill()

    # Without a bar.

    def variants(self):
        if not self.wants("variants"):
            return
        plain = self.server("countersign", "plain")
        for connections in [1, 32, 256, 1024]:
            self.note("me, by connections", str(connections), Load(plain, "me", connections).run(plain, self.plan.seconds))
        for protocol, connections, options in [] if self.plan.seconds == QUICK.seconds else PROTOCOLS:
            self.note("me, by protocol (oha)", protocol, Oha(plain, "me", connections, self.plan.seconds, *options).per_second())
        for workers in ["1", "2"]:
            hashing = self.server("countersign", "plain", HASHING_WORKERS=workers)
            self.note("login, by workers", workers, Load(hashing, "login", 32).run(hashing, self.plan.hash_seconds))
        for algorithm in ["HS256", "EdDSA", "ES256", "RS256"]:
            signed = self.server("countersign", "plain", **report.keys_of(algorithm))
            for what in ["me", "refresh"]:
                figures = Load(signed, what, 32).run(signed, self.plan.seconds)
                self.note(f"{what}, by algorithm", algorithm, figures)
        load = Load(plain, "me", 32)
        for cores in ["0", "0,1"]:
            subprocess.run(["taskset", "--all-tasks", "-cp", cores, str(plain.process.pid)], capture_output=True, check=True)
            self.note("me, by cores", cores, load.run(plain, self.plan.seconds))

    def run(self):
        for part in [self.endpoints, self.hashing, self.postgresql, self.storm, self.memory, self.growth, self.variants]:
            began = time.monotonic()
            print(f"{part.__name__}:", flush=True)
            part()
            print(f"  in {time.monotonic() - began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--quick", action="store_true", help="only whether it works")
    parser.add_argument("--only", default="", choices=NAMES, help="one measurement")
    parser.add_argument("--without", action="append", default=[], choices=NAMES, help="a measurement to leave out")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    bench = Bench(plan._replace(rounds=arguments.rounds or plan.rounds), arguments.only, arguments.without)
    if arguments.quick:
        bench.storm = bench.growth = lambda: None
        bench.storm.__name__ = bench.growth.__name__ = "left out"
    bench.run()
    print(report.table(bench))
    report.write(bench, directory() / "results" if arguments.quick else report.RESULTS)
    return 0


sys.exit(main())
