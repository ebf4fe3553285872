#!/usr/bin/env python3
"""A storm of logins against one server: what is promised of the rest, of waiting and of memory, measured.

    reliability/storm.py                   the figures, and a failure for each promise that is broken
    reliability/storm.py --equal-priority  the same with the hashing threads put back beside the others (as root)

COUNTERSIGN names the program, a release build. It needs wrk and Python 3.11. On a machine that does other things as well,
the shares are of what is left of the processor, and swing; the bounds of waiting and memory hold all the same.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from processes import Replica, directory, free_ports

PASSWORD = "correct horse battery staple"
MAX_WAIT_SECS = 5
# A password that has its turn in time is hashed by then, and answered; on a busy machine that takes a while.
SLACK_SECS = 1.5
ARGON2_MIB = 19
REST_MIB = 64  # what docs/operating.md says of everything but hashing
PHASE_SECS = 8
FLOODING_NETWORKS = 4
LEAST_SHARE = 0.8
TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))

broken = []


def promise(holds, what):
    print(f"  {'ok    ' if holds else 'BROKEN'} {what}", flush=True)
    if not holds:
        broken.append(what)


def body(username):
    return json.dumps({"username": username, "password": PASSWORD}).encode()


def post(path, content):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


class Connection:
    """One kept connection, from an address of loopback's many."""

    @classmethod
    async def open(cls, port, address):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        return self

    async def ask(self, request):
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        return int(head[9:12]), await self.reader.readexactly(length)

    def close(self):
        self.writer.transport.abort()


class Flood:
    """Logins at a rate, whether they are answered or not; from four networks, each connection from one."""

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.idle, self.opened, self.running = [], 0, set()
        self.waits, self.offered, self.failed = {}, 0, 0
        self.honest = []

    async def run(self, seconds):
        begun = time.monotonic()
        alone = asyncio.create_task(self.somebody_else(begun + seconds))
        while (passed := time.monotonic() - begun) < seconds:
            while self.offered < passed * self.rate:
                self.offered += 1
                task = asyncio.create_task(self.log_in())
                self.running.add(task)
                task.add_done_callback(self.running.discard)
            await asyncio.sleep(0.002)
        await asyncio.gather(alone, *self.running)

    async def log_in(self):
        try:
            if self.idle:
                connection = self.idle.pop()
            else:
                self.opened += 1
                connection = await Connection.open(self.port, f"127.1.{self.opened % FLOODING_NETWORKS}.1")
            begun = time.monotonic()
            status, _ = await connection.ask(post("/user/api/login/", body("nobody")))
            self.waits.setdefault(status, []).append(time.monotonic() - begun)
            self.idle.append(connection)
        except (OSError, asyncio.IncompleteReadError):
            self.failed += 1

    async def somebody_else(self, until):
        """Who logs in from a network of their own, one login after the other, and comes back when told to."""
        connection = await Connection.open(self.port, "127.2.0.1")
        while time.monotonic() < until:
            begun = time.monotonic()
            status, _ = await connection.ask(post("/user/api/login/", body("ada")))
            self.honest.append((status, time.monotonic() - begun))


class Probe:
    """Asks /healthz every 50 ms on a new connection, and looks at the memory."""

    def __init__(self, server):
        self.server, self.times, self.peak_mib = server, [], 0

    async def run(self, stop):
        while not stop.is_set():
            begun = time.monotonic()
            connection = await Connection.open(self.server.port, "127.3.0.1")
            status, _ = await connection.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.close()
            self.times.append(time.monotonic() - begun if status == 200 else float("inf"))
            self.peak_mib = max(self.peak_mib, resident_mib(self.server))
            await asyncio.sleep(0.05)


def resident_mib(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def processor(server):
    """Seconds so far: of hashing, of the rest of the server, of everything on the machine."""
    hashing = rest = 0
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
        except OSError:
            continue
        fields = stat.rsplit(") ", 1)[1].split(" ")
        took = (int(fields[11]) + int(fields[12])) / TICKS
        if "(hashing-" in stat:
            hashing += took
        else:
            rest += took
    line = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    numbers = [int(number) / TICKS for number in line]
    return hashing, rest, sum(numbers[:8]) - numbers[3] - numbers[4]


class Measured:
    def __init__(self, requests, seconds, before, after, of_wrk):
        self.rate = requests / seconds
        hashing, rest, machine = (late - early for late, early in zip(after, before))
        # Cores that were left for these requests and for hashing, whoever of them took it.
        self.left = CORES - max(0.0, machine - hashing - rest - of_wrk) / seconds
        self.cost_us = rest / requests * 1e6
        self.rest, self.hashing = rest / seconds, hashing / seconds


async def wrk(server, what, token):
    script = directory() / f"{what}.lua"
    url = f"http://127.0.0.1:{server.port}/user/api/{'me' if what == 'me' else 'token/refresh'}/"
    if what == "me":
        script.write_text(f'wrk.headers["Authorization"] = "Bearer {token}"\n')
    else:
        script.write_text(
            f"wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\n"
            f"wrk.body = '{json.dumps({'refresh': token})}'\n"
        )
    before, begun, children = processor(server), time.monotonic(), os.times()
    command = ["wrk", "-t1", "-c16", f"-d{PHASE_SECS}s", "-s", str(script), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    seconds, after, late = time.monotonic() - begun, processor(server), os.times()
    of_wrk = late.children_user + late.children_system - children.children_user - children.children_system
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    if "Non-2xx" in output:
        raise RuntimeError(f"{what}: not every answer was good\n{output}")
    return Measured(requests, seconds, before, after, of_wrk)


async def probed(server, work):
    probe, stop = Probe(server), asyncio.Event()
    probing = asyncio.create_task(probe.run(stop))
    result = await work
    stop.set()
    await probing
    return result, probe


async def capacity(server):
    """Logins a second with nothing else to do."""
    answered = 0

    async def client(until):
        nonlocal answered
        connection = await Connection.open(server.port, "127.0.0.1")
        while time.monotonic() < until:
            status, _ = await connection.ask(post("/user/api/login/", body("nobody")))
            answered += status == 401
        connection.close()

    await asyncio.gather(*(client(time.monotonic() + 5) for _ in range(8)))
    return answered / 5


def queue_length(metrics_port):
    page = urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics").read().decode()
    return int(re.search(r"countersign_hashing_queue_length (\d+)", page).group(1))


async def hang_up(server, metrics_port):
    """Seconds until the places of many who hang up are free, and how many waited."""
    connections = [await Connection.open(server.port, f"127.4.{number}.1") for number in range(200)]
    for connection in connections:
        connection.writer.write(post("/user/api/login/", body("nobody")))
    most, until = 0, time.monotonic() + 2
    while (waiting := queue_length(metrics_port)) > most or most < 10 and time.monotonic() < until:
        most = max(most, waiting)
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    for connection in connections:
        connection.close()
    while queue_length(metrics_port) > 0:
        await asyncio.sleep(0.005)
    return time.monotonic() - begun, most


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def report_rates(name, before, during):
    # Logins have to be answered too, by the same threads: what these took beyond what they take for such requests alone.
    logins = max(0.0, during.rest - during.rate * before.cost_us / 1e6)
    print(f"{name}: {before.rate:.0f}/s before, {during.rate:.0f}/s during; {before.cost_us:.0f} µs of processor time each")
    print(f"  before there were {before.left:.2f} cores for it; during {during.left:.2f}, of which hashing took "
          f"{during.hashing:.2f} and answering logins {logins:.2f}")
    kept = during.rate / (during.left - logins) / (before.rate / before.left)
    promise(kept >= LEAST_SHARE, f"{name} keeps {kept:.0%} of its throughput on what is left (at least {LEAST_SHARE:.0%})")


def put_beside_the_others(server):
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        if (task / "comm").read_text().startswith("hashing-"):
            os.setpriority(os.PRIO_PROCESS, int(task.name), 0)


async def main(equal_priority):
    port, metrics_port = free_ports(2)
    settings = {"ARGON2_MEMORY_KIB": "19456", "ARGON2_ITERATIONS": "2", "ROTATE_REFRESH_TOKENS": "False"}
    settings |= {"BLACKLIST_AFTER_ROTATION": "False", "METRICS_BIND": f"127.0.0.1:{metrics_port}", "THROTTLE": "off"}
    server = Replica(1, port, f"sqlite:{directory()}/storm.sqlite3", **settings)
    server.start()
    if equal_priority:
        put_beside_the_others(server)
    connection = await Connection.open(port, "127.0.0.1")
    await connection.ask(post("/user/api/register/", body("ada")))
    pair = json.loads((await connection.ask(post("/user/api/login/", body("ada"))))[1])
    tokens = {"refresh": pair["refresh"], "me": pair["access"]}
    print(f"{CORES} cores, load {os.getloadavg()[0]:.1f}; hashing threads {'beside' if equal_priority else 'below'} the others")

    rate = await capacity(server)
    print(f"capacity: {rate:.0f} logins/s with nothing else to do; offered from now on: {10 * rate:.0f}/s")
    before = {what: await wrk(server, what, token) for what, token in tokens.items()}

    flood = Flood(port, 10 * rate)

    async def storm():
        flooding = asyncio.create_task(flood.run(2 * PHASE_SECS + 3))
        await asyncio.sleep(1)
        during = {what: await wrk(server, what, token) for what, token in tokens.items()}
        await flooding
        return during

    during, probe = await probed(server, storm())
    for what in tokens:
        report_rates(what, before[what], during[what])
    accepted, refused = flood.waits.get(401, []), flood.waits.get(503, [])
    print(f"storm: {flood.offered} logins offered, {len(accepted)} hashed, {len(refused)} refused, {flood.failed} broken")
    others = {status: count for status, count in flood.waits.items() if status not in (401, 503)}
    promise(not others and not flood.failed, "each was answered with 401 or 503")
    print(f"  refusals: median {percentile(refused, 0.5) * 1e3:.0f} ms, 99% {percentile(refused, 0.99) * 1e3:.0f} ms")
    bound = MAX_WAIT_SECS + SLACK_SECS
    longest = max(accepted, default=0)
    promise(longest <= bound, f"the longest that an accepted login took is {longest:.1f} s (at most {bound} s)")
    served = [took for status, took in flood.honest if status == 200]
    print(f"  somebody from another network: {len(served)} logins of {len(flood.honest)} tries, median "
          f"{percentile(served, 0.5):.2f} s, longest {max(served, default=0):.2f} s")
    promise(len(served) == len(flood.honest), "who logs in from another network is never refused")
    slowest = max(probe.times)
    print(f"/healthz: {len(probe.times)} probes, median {percentile(probe.times, 0.5) * 1e3:.1f} ms, "
          f"slowest {slowest * 1e3:.0f} ms")
    promise(slowest < 1, "each is answered within a second")
    allowed = REST_MIB + CORES * ARGON2_MIB
    promise(probe.peak_mib <= allowed, f"resident memory was {probe.peak_mib:.0f} MiB at most (at most {allowed} MiB)")
    took, most = await hang_up(server, metrics_port)
    promise(most >= 10 and took < most / rate / 2,
            f"{most} places are free {took * 1e3:.0f} ms after those who waited hung up (hashing them takes {most / rate:.1f} s)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equal-priority", action="store_true", help="take the hashing threads' low priority away")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("storm: there is no wrk here: install it (Debian: wrk), then run this again")
    if not os.access(os.environ.get("COUNTERSIGN", ""), os.X_OK):
        sys.exit("storm: COUNTERSIGN names no program; build it with cargo build --release -p countersign")
    os.environ["COUNTERSIGN"] = os.path.abspath(os.environ["COUNTERSIGN"])
    asyncio.run(main(arguments.equal_priority))
    sys.exit(f"storm: {len(broken)} promises are broken" if broken else 0)
