"""Many users and sessions on disk, many connections, many starts."""

import base64
import hashlib
import hmac
import json
import os
import random
import socket
import sqlite3
import subprocess
import time

from load import Load
from systems import SECRET_KEY, Server

USERS = """
INSERT INTO auth_user (password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :count)
SELECT 'argon2$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE', 0,
       'somebody-' || n, '', 'somebody-' || n || '@example.com', 0, 1, '2026-01-01 00:00:00', '' FROM n
"""
# Ids are spread over their whole range and come in order: the tree is as random ones make it, and takes minutes less. They
# count as seen until an hour from now: what is measured is how reads grow, and not that each was seen again.
SESSIONS = """
INSERT INTO countersign_session
       (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at, address, client)
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :count)
SELECT printf('%016x%016x', n * (9223372036854775807 / :count), n), n % :users + 1, 0, :now, :now,
       :now + 3600000000, :now + 31536000000000, '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
  FROM n
"""


def filled(system, users, sessions):
    """A server whose database has so many users and sessions."""
    server = Server(system, "plain").start()
    server.kill()
    connection = sqlite3.connect(server.home / "accounts.sqlite3")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA cache_size = -1000000")
    connection.execute(USERS, {"count": users})
    connection.execute(SESSIONS, {"count": sessions, "users": users, "now": time.time_ns() // 1000})
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return server.start()


class AllOver(Load):
    """Requests of people all over the table, so many that neither a cache of pages nor of statements knows them."""

    PEOPLE = 50_000

    def __init__(self, server, what, connections, users, sessions):
        numbers = random.Random(what).sample(range(1, sessions + 1), min(self.PEOPLE, sessions))
        self.tokens = [_token(what, number, users, sessions) for number in numbers]
        super().__init__(server, what, connections)

    def _lines(self, server):
        server.ask(self.what, a=self.tokens[0], r=self.tokens[0])
        return self.tokens if self.what == "me" else [server.body(self.what, r=token) for token in self.tokens]


def _token(what, number, users, sessions):
    """A token of a session made above, as the server would have signed it."""
    session = f"{number * (9223372036854775807 // sessions):016x}{number:016x}"
    now = int(time.time())
    claims = {"token_type": "access" if what == "me" else "refresh", "exp": now + 36000, "iat": now}
    claims |= {"jti": _refresh_jti(session), "user_id": str(number % users + 1), "sid": session}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in [{"alg": "HS256", "typ": "JWT"}, claims])
    return f"{signed}.{_base64url(hmac.digest(SECRET_KEY.encode(), signed.encode(), hashlib.sha256))}"


def _refresh_jti(session):
    """The id of a session's first refresh token, as `countersign-token` derives it."""
    mask, proof = (hashlib.sha256(text.encode()).digest() for text in [f"generations of {session}", f"refresh token 0 of {session}"])
    number = int.from_bytes(mask[:4] + proof[:12], "big")
    number = number & ~(0xF << 76) | 0x4 << 76
    return f"{number & ~(0x3 << 62) | 0x2 << 62:032x}"


def _base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def bytes_per_row(file, users, sessions):
    """What a user and a session take on disk, indexes included."""
    sizes = {}
    with sqlite3.connect(file) as connection:
        whole = os.path.getsize(file)
        for table, rows in [("auth_user", users), ("countersign_session", sessions)]:
            names = [table] + [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'", [table])]
            marks = ", ".join("?" * len(names))
            try:
                taken = connection.execute(f"SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN ({marks})", names).fetchone()[0]
            except sqlite3.OperationalError:  # SQLite without dbstat
                return {"users and sessions together": whole / users}
            sizes[f"each row of {table}"] = taken / rows
    return sizes


def idle_connections(port, count):
    """Connections that have asked once and wait."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        connection.recv(4096)
        connections.append(connection)
    return connections


def start_ms(server):
    """From exec to the first answer, on a database that is there."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    began = time.perf_counter()
    process = subprocess.Popen([os.environ["COUNTERSIGN"]], env=server.environment, cwd=server.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < 10:
            try:
                with socket.create_connection(("127.0.0.1", server.port)) as connection:
                    connection.sendall(request)
                    if connection.recv(64).startswith(b"HTTP/1.1 200"):
                        return (time.perf_counter() - began) * 1000
            except ConnectionRefusedError:
                time.sleep(0.0005)
        raise RuntimeError("the server does not answer within ten seconds of its start")
    finally:
        process.kill()
        process.wait()
