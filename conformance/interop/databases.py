"""Databases for one check each, on SQLite or PostgreSQL, and what is in them as their own tools see it."""

import atexit
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import psycopg


class SqliteDatabase:
    """A file that is not there yet."""

    def __init__(self, directory):
        self.address = Path(directory, "project.sqlite3")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def schema(self):
        return "\n".join(f"{row}" for row in self.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema"))

    def rows(self, sql):
        connection = sqlite3.connect(self.address)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


class PostgresDatabase:
    """An empty database on the server of this run."""

    _numbers = count()

    def __init__(self, server):
        self.server = server
        self.name = f"countersign_interop_{os.getpid()}_{next(self._numbers)}"
        self.address = f"{server.url.rsplit('/', 1)[0]}/{self.name}"

    def __enter__(self):
        self.server.run(f"CREATE DATABASE {self.name} TEMPLATE template0 ENCODING 'UTF8'")
        return self

    def __exit__(self, *_):
        self.server.run(f"DROP DATABASE {self.name} WITH (FORCE)")

    def schema(self):
        dump = [self.server.pg_dump, "--schema-only", "--no-owner", self.address]
        done = subprocess.run(dump, capture_output=True, text=True, timeout=60, check=True)
        # \restrict and \unrestrict carry a random word.
        return "\n".join(line for line in done.stdout.splitlines() if "restrict " not in line)

    def rows(self, sql):
        with psycopg.connect(self.address) as connection:
            return connection.execute(sql).fetchall()


class PostgresServer:
    """The one of `TEST_DATABASE_URL`, or one of this run's own, which is gone with it."""

    def __init__(self, url, pg_dump, keeper=None):
        self.url = url
        self.pg_dump = pg_dump
        self.keeper = keeper

    def run(self, sql):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)

    def stop(self):
        if self.keeper is not None:
            self.keeper.stdin.close()
            self.keeper.wait()


# As the tests of the store do it: the keeper removes the cluster at the end of its standard input, which closes even
# when this process is killed.
KEEPER = r"""
programs=$1 port=$2
trap '' HUP INT PIPE TERM
directory=$(mktemp -d "${TMPDIR:-/tmp}/countersign-interop-postgresql.XXXXXX") || exit
start() {
    "$programs/initdb" -D "$directory/data" -U countersign --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync &&
    cat >>"$directory/data/postgresql.conf" <<SETTINGS &&
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 300
fsync = off
SETTINGS
    "$programs/pg_ctl" -D "$directory/data" -l "$directory/log" -w start
}
if start >"$directory/output" 2>&1; then
    echo ready
    cat >/dev/null
    "$programs/pg_ctl" -D "$directory/data" -m immediate -w stop >/dev/null 2>&1
else
    cat "$directory/output" "$directory/log" 2>/dev/null
fi
rm -rf "$directory"
"""

_lock = threading.Lock()
_servers = []


def postgres_server():
    """The server of this run, started at the first call; `None`, and a loud word about it, where there is none."""
    with _lock:
        if not _servers:
            _servers.append(_given_or_started())
        return _servers[0]


def _given_or_started():
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        return PostgresServer(given, shutil.which("pg_dump"))
    programs = _find_programs()
    if programs is None:
        word = "there is no PostgreSQL on this machine: install it (Debian: postgresql), or set TEST_DATABASE_URL"
        if os.environ.get("REQUIRE_POSTGRESQL") == "1":
            raise RuntimeError(word)
        print(f"\nPOSTGRESQL CHECKS SKIPPED: {word}\n", file=sys.stderr, flush=True)
        return None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["sh", "-c", KEEPER, "keeper", programs, str(port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    keeper = subprocess.Popen(command, cwd="/", start_new_session=True, **pipes, **_somebody_else())
    said = keeper.stdout.readline()
    if said != "ready\n":
        raise RuntimeError(f"PostgreSQL does not start: {said}{keeper.stdout.read()}")
    server = PostgresServer(f"postgresql://countersign@127.0.0.1:{port}/postgres", f"{programs}/pg_dump", keeper)
    atexit.register(server.stop)
    return server


def _find_programs():
    on_path = [Path(directory) for directory in os.environ["PATH"].split(":")]
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    installed = sorted(installed, key=lambda found: int(found.parent.name), reverse=True)
    for directory in [*on_path, *installed]:
        if all((directory / program).is_file() for program in ["initdb", "pg_ctl", "postgres", "pg_dump"]):
            return str(directory)
    return None


def _somebody_else():
    """PostgreSQL does not run as root."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
