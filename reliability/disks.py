"""Disks that are full, files that cannot be written, a file system that has given up: one server under load on a disk of its
own, which is a small file with ext4. Needs root, as it is mounted.

What cannot be written is refused with 503 and Retry-After, reads go on, readiness says why, and when there is room again the
server goes on by itself. What was acknowledged is there.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

from load import Caller, Load
from processes import Replica, directory, free_ports, repeatedly, wait_until

MIB = 1024 * 1024


class Disk:
    """ext4 in a file of so many MiB."""

    def __init__(self, name, mib):
        self.image, self.place = directory() / f"{name}.img", directory() / name
        with self.image.open("wb") as image:
            image.truncate(mib * MIB)
        self.place.mkdir()
        call("mkfs.ext4", "-q", "-m", "0", self.image)
        self.mount()

    def mount(self):
        call("mount", "-o", "loop", self.image, self.place)

    def unmount(self):
        subprocess.run(["umount", self.place], capture_output=True, check=False)

    def mend(self):
        """As an operator does after a file system has given up."""
        self.unmount()
        subprocess.run(["e2fsck", "-fy", self.image], capture_output=True, check=False)  # its status says that it mended
        self.mount()

    def fill(self):
        """To the last byte that anybody gets."""
        with (self.place / "filler").open("ab", buffering=0) as filler:
            for size in (MIB, 4096, 1):
                try:
                    while filler.write(b"\0" * size):
                        pass
                except OSError:
                    pass

    def make_room(self):
        (self.place / "filler").unlink()

    def forbid(self, is_forbidden):
        """Lets nobody write to the database and its log, not even who has opened them before."""
        call("chattr", "+i" if is_forbidden else "-i", self.place / "db.sqlite3", self.place / "db.sqlite3-wal")

    def abort(self):
        """What ext4 does when its device fails: from then on it is read-only, also for files that are open."""
        call("mount", "-o", "remount,abort", self.place)


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")


def why_not():
    """Why none of this can be done here, if it cannot."""
    if os.getuid() != 0:
        return "it needs root, to mount a disk"
    for program in ["mkfs.ext4", "chattr"]:
        if not shutil.which(program):
            return f"there is no {program} here: install e2fsprogs"
    try:
        disk = Disk("trial", 4)
    except RuntimeError as refused:
        return f"no disk can be mounted here: {refused}"
    disk.unmount()
    return None


def readiness(server):
    """Its status, and what it says of the database."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=5) as answer:
            return answer.status, "ok"
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["checks"]["database"]


def under_fault(check, judge, server, name, begin, end, seconds):
    """A load with a fault in the middle of it, during which nothing can be written."""
    print(name, flush=True)
    caller = Caller(server.port)
    witness = f"witness-{time.monotonic_ns()}"
    caller.register(witness)
    access = caller.log_in(witness).json()["access"]
    with Load(server.port, clients=8) as load:
        time.sleep(1)
        begin()
        wait_until("something is refused", lambda: load.record.outcomes["503"] > 20)
        wait_until("readiness says so", lambda: readiness(server) == (503, CANNOT_WRITE), 10)
        before, seen, until = load.record.acknowledged.total(), set(), time.monotonic() + seconds
        while time.monotonic() < until:
            seen.add((*readiness(server), caller.me(access).status))
            time.sleep(0.1)
        acknowledged = load.record.acknowledged.total() - before
        end()
        began = time.monotonic()
        wait_until("it is ready again", lambda: readiness(server)[0] == 200, 20)
        took = time.monotonic() - began
        time.sleep(1)
    check.holds("readiness says why all the time, and reads go on", seen == {(503, CANNOT_WRITE, 200)}, seen)
    check.holds("nothing is acknowledged meanwhile", acknowledged == 0, acknowledged)
    check.holds(f"ready again {took:.1f} s after the fault", True)
    return judge(check, name, load.record, [server.port])


def stays_unready(server, seconds):
    until = time.monotonic() + seconds
    while readiness(server) == (503, CANNOT_WRITE):
        if time.monotonic() > until:
            return True
        time.sleep(0.1)
    return False


CANNOT_WRITE = "nothing can be written; the log says why"


def on_sqlite(check, judge, seconds):
    disk = Disk("disk", 24)
    server = Replica("on-disk", *free_ports(1), f"sqlite:{disk.place}/db.sqlite3", MIN_FREE_DISK_MIB="0")
    rows = []
    try:
        server.start()
        for name, begin, end in [
            ("the disk is full, SQLite", disk.fill, disk.make_room),
            ("its files cannot be written, SQLite", lambda: disk.forbid(True), lambda: disk.forbid(False)),
        ]:
            rows.append(under_fault(check, judge, server, name, begin, end, seconds))
        rows.append(file_system_gives_up(check, judge, disk, server, seconds))
        starts_on_a_full_disk(check, disk, server)
        check.holds("the file is whole", server.command("check"))
    finally:
        server.kill()
        disk.unmount()
    return rows


def file_system_gives_up(check, judge, disk, server, seconds):
    """Nothing that is open there can be used again, so that the server has to end before the file system is mended. It may
    have ended by itself: what cannot be written into mapped memory ends a process (SIGBUS), and SQLite maps the index of
    its write-ahead log."""
    name = "its file system gives up, SQLite"
    print(name, flush=True)
    with Load(server.port, clients=8) as load:
        time.sleep(1)
        disk.abort()
        time.sleep(seconds)
        ended = server.process.poll()
        check.holds(f"the server {'goes on' if ended is None else 'was ended'}", ended in (None, -signal.SIGBUS), ended)
        check.holds("a start there is refused", "Read-only file system" in refusal_of_a_start(server))
        server.kill()
        disk.mend()
        server.start()
        time.sleep(1)
    return judge(check, name, load.record, [server.port])


def refusal_of_a_start(server):
    second = Replica("second", *free_ports(1), server.environment["DATABASE_URL"])
    try:
        second.start()
        second.kill()
        return "it starts"
    except RuntimeError as refused:
        return str(refused)


def starts_on_a_full_disk(check, disk, server):
    print("a start on a full disk, SQLite", flush=True)
    server.kill()
    disk.fill()
    server.start()
    caller, names = Caller(server.port), (f"late-{number}" for number in range(3000))
    # The write-ahead log may have room left from before.
    refused = next((name for name in names if caller.register(name).status == 503), None)
    check.holds("it starts, and refuses what it cannot write", refused is not None)
    # Nobody writes meanwhile but the server itself, which may find room for a page or two yet.
    wait_until("it is not ready any more, and stays so", lambda: stays_unready(server, 3))
    disk.make_room()
    wait_until("it is ready", lambda: readiness(server)[0] == 200, 20)
    made = caller.register(refused)
    check.holds("with room it goes on", made.status == 201, made)


def run(check, judge, wanted, quick, postgres):
    """The faults; their rows of the table."""
    if not wanted("disk"):
        return []
    refusal = why_not()
    if refusal:
        print(f"SKIPPED: full disks and read-only file systems are NOT tried: {refusal}", flush=True)
        return []
    seconds = 2 if quick else 6
    return [*on_sqlite(check, judge, seconds), on_postgres(check, judge, postgres, seconds)]


def on_postgres(check, judge, postgres, seconds):
    """The disk of the tables is full; the log of PostgreSQL has another, without which it would not run at all."""
    name = "the disk of the tables is full, PostgreSQL"
    print(name, flush=True)
    disk = Disk("tablespace", 64)
    tables = disk.place / "tables"
    tables.mkdir()
    if postgres.user:
        shutil.chown(tables, postgres.user)
    postgres.query(f"CREATE TABLESPACE small LOCATION '{tables}'")
    postgres.query("CREATE DATABASE small TABLESPACE small ENCODING 'UTF8' TEMPLATE template0")
    server = Replica("on-small", *free_ports(1), f"postgresql://countersign@127.0.0.1:{postgres.port}/small")
    try:
        server.start()
        caller = Caller(server.port)
        caller.register("witness")
        access = caller.log_in("witness").json()["access"]
        with Load(server.port, clients=8) as load:
            time.sleep(1)
            disk.fill()
            wait_until("something is refused", lambda: load.record.outcomes["503"] > 20)
            wait_until("readiness says so", lambda: readiness(server) == (503, CANNOT_WRITE), 10)
            seen = set()
            repeatedly(seconds, 0.1, lambda: seen.add((*readiness(server), caller.me(access).status)))
            disk.make_room()
            wait_until("it is ready again", lambda: readiness(server)[0] == 200, 20)
            time.sleep(1)
        check.holds("readiness says why all the time, and reads go on", seen == {(503, CANNOT_WRITE, 200)}, seen)
        refused = "could not extend file" in server.log.read_text()
        check.holds("the log says why", refused)
        return judge(check, name, load.record, [server.port])
    finally:
        server.kill()
        postgres.query("DROP DATABASE small WITH (FORCE)")
        postgres.query("DROP TABLESPACE small")
        disk.unmount()
