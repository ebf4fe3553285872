"""The load: wrk as fast as it goes, oha at a fixed rate. Whatever is refused makes the run fail, unless it is meant to be."""

import json
import re
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

from processes import directory
from systems import PASSWORD

LUA = Path(__file__).parent / "load.lua"
MODES = {"me": "bearer", "rotate": "rotate", "register": "register"}
_numbers = count(1)


class Figures(NamedTuple):
    """Of one run."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Load:
    """The requests of one kind, as a server knows them; they can also be sent to bare axum."""

    def __init__(self, server, what, connections):
        self.what, self.connections = what, connections
        self.mode = MODES.get(what, "post")
        self.path = server.system["requests"][what]["path"]
        self.file = directory() / f"load-{next(_numbers)}"
        self.file.write_text("".join(f"{line}\n" for line in self._lines(server)))

    def _lines(self, server):
        people = server.log_everybody_in()
        name, access, refresh = people[0]
        if self.what not in ("register", "rotate"):  # those are asked below, or were by whoever is logged in
            server.ask(self.what, u=name, p=PASSWORD, a=access, r=refresh)
        if self.what == "me":
            return [access for _, access, _ in people]
        if self.what == "register":
            return [server.body("register", u=f"new-{next(_numbers)}-%n", p=PASSWORD)]
        if self.what == "rotate":
            # As many chains as there are connections, and as many again on their way.
            names = [people[number % len(people)][0] for number in range(2 * self.connections)]
            tokens = [server.ask("login", u=name, p=PASSWORD)[0]["refresh"] for name in names]
            return [server.ask("rotate", r=token)[0]["refresh"] for token in tokens]
        return [server.body(self.what, u=name, p=PASSWORD, a=access, r=refresh) for name, access, refresh in people]

    def run(self, server, seconds, path=None):
        """By wrk, in one thread, which takes the least of the machine."""
        before = server.cpu_seconds()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", "60s", "--latency", "-s", str(LUA)]
            + [server.url, "--", self.mode, path or self.path, str(self.file)],
            capture_output=True, text=True, check=True,
        )
        said = done.stdout
        if "Non-2xx" in said or "Socket errors" in said or done.stderr:
            raise RuntimeError(f"{server.name} on {self.what}: {said}{done.stderr}")
        requests = int(re.search(r"(\d+) requests in", said)[1])
        figures = Figures(
            per_second=float(re.search(r"Requests/sec: +([\d.]+)", said)[1]),
            p50_ms=_milliseconds(re.search(r"50% +(\S+)", said)[1]),
            p99_ms=_milliseconds(re.search(r"99% +(\S+)", said)[1]),
            cpu_us=(server.cpu_seconds() - before) * 1e6 / max(1, requests),
        )
        _settle(server)
        return figures


def _settle(server):
    """Waits until nothing is worked on any more for clients that are gone: it would be in the way of who comes next."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        before = server.cpu_seconds()
        time.sleep(0.3)
        if server.cpu_seconds() - before <= 0.03:
            return


def _milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


class Oha:
    """Requests by oha, with options of its own."""

    def __init__(self, server, what, connections, seconds, *options):
        _, access, _ = server.log_everybody_in()[0]
        request = server.system["requests"][what]
        body = server.body(what, u=server.people[0][0], p=PASSWORD, a=access)
        command = ["oha", "--no-tui", "--output-format", "json", *options]
        command += ["-c", str(connections), "-z", f"{seconds}s", "-m", request["method"]]
        command += ["-H", f"Authorization: Bearer {access}"] if what == "me" else []
        command += ["-H", "Content-Type: application/json", "-d", body] if body else []
        self.process = subprocess.Popen([*command, server.url + request["path"]], stdout=subprocess.PIPE, text=True)

    def result(self):
        """What oha says, as it says it."""
        said, _ = self.process.communicate()
        return json.loads(said)

    def good(self):
        """The same, if every answer was good."""
        said = self.result()
        statuses = said["statusCodeDistribution"]
        if set(statuses) != {"200"}:
            raise RuntimeError(f"answers to oha: {statuses}")
        return said

    def per_second(self):
        return self.good()["summary"]["requestsPerSec"]


class Steady(Oha):
    """Requests at a fixed rate, beside whatever else is done; its latencies count from when each was due."""

    def __init__(self, server, what, per_second, connections, seconds):
        super().__init__(server, what, connections, seconds, "--latency-correction", "-q", str(per_second))

    def p99_ms(self):
        return self.good()["latencyPercentiles"]["p99"] * 1000
