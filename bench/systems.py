"""The systems that are measured: each is described by a file in `systems/`, started on a free port, and asked once
whether its answers are right before anything is measured."""

import os
import subprocess
import sys
import time
import tomllib
from itertools import count
from pathlib import Path

import requests

from processes import Process, directory, free_ports, listens, wait_until

HERE = Path(__file__).parent
SECRET_KEY = "benchmark-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"
PASSWORD = "correct horse battery staple"
USERS = 16
# Simple JWT's access tokens are good for five minutes.
TOKENS_LAST_SECONDS = 200
_numbers = count(1)


def described():
    """Every description, by the name of its file."""
    return {path.stem: tomllib.loads(path.read_text()) for path in sorted((HERE / "systems").glob("*.toml"))}


def filled(template, **values):
    """`{name}` replaced by its value; other braces stay."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", str(value))
    return template


class Server(Process):
    """One server of a system, with users of its own who are logged in."""

    def __init__(self, system, kind, **more):
        super().__init__(f"{system['name']}-{kind}-{next(_numbers)}")
        self.system = system
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = directory() / f"{self.name}.d"
        self.home.mkdir()
        self.values = {
            "port": self.port,
            "directory": self.home,
            "secret": SECRET_KEY,
            "countersign": os.environ["COUNTERSIGN"],
            "python": sys.executable,
            "repository": HERE.parent,
        }
        chosen = system["environment"] | system["servers"][kind].get("environment", {}) | more
        self.environment = {"PATH": os.environ["PATH"]} | {
            name: filled(value, **self.values) for name, value in chosen.items()
        }
        self.people, self.logged_in_at = [], None

    def start(self):
        if "prepare" in self.system and not self.people:
            subprocess.run(self._command("prepare"), env=self.environment, check=True, cwd=self.home)
        self.spawn(self._command("command"), self.environment)
        wait_until(f"{self.name} listens", lambda: listens(self.port))
        return self

    def _command(self, which):
        return [filled(part, **self.values) for part in self.system[which]]

    def ask(self, what, **values):
        """One request, whose answer has to be right; its body."""
        request = self.system["requests"][what]
        body = self.body(what, **values)
        bearer = {"Authorization": f"Bearer {values['a']}"} if what == "me" else {}
        headers = bearer | ({"Content-Type": "application/json"} if body else {})
        answer = requests.request(request["method"], self.url + request["path"], data=body, headers=headers, timeout=60)
        said = answer.json()
        if answer.status_code != (201 if what == "register" else 200) or not set(request["answers"]) <= set(said):
            raise RuntimeError(f"{self.name} answers {what} with {answer.status_code} {answer.text[:500]}")
        return said, len(answer.content)

    def body(self, what, **values):
        text = self.system["requests"][what].get("body", "")
        for letter, value in values.items():
            text = text.replace(f"%{letter}", value)
        return text

    def log_everybody_in(self):
        """Users with fresh tokens: name, access and refresh token."""
        if self.logged_in_at is not None and time.monotonic() - self.logged_in_at < TOKENS_LAST_SECONDS:
            return self.people
        names = [name for name, _, _ in self.people]
        if not names:
            names = [f"user-{number}" for number in range(USERS)]
            for name in names:
                self.ask("register", u=name, p=PASSWORD)
        self.people = []
        for name in names:
            said, _ = self.ask("login", u=name, p=PASSWORD)
            self.people.append((name, said["access"], said["refresh"]))
        self.logged_in_at = time.monotonic()
        return self.people

    def processes(self):
        """Ours and those it has begotten."""
        group, found = self.process.pid, []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.getpgid(int(entry.name)) == group:
                        found.append(entry)
                except ProcessLookupError:
                    pass
        return found

    def cpu_seconds(self):
        ticks = 0
        for process in self.processes():
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        """Resident memory; what its processes share with each other counts once."""
        processes, kib = self.processes(), 0
        kind = "Rss:" if len(processes) == 1 else "Pss:"  # of one, nothing is left out that it shares with another server
        for process in processes:
            rollup = (process / "smaps_rollup").read_text()
            kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(kind))
        return kib / 1024


class BareHttp(Process):
    """The yardstick: bare axum, answering with constants of these sizes."""

    def __init__(self, sizes):
        super().__init__("bare-axum")
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.sizes = sorted(set(sizes))

    def start(self):
        self.spawn([os.environ["YARDSTICKS"], "http", str(self.port), *map(str, self.sizes)])
        wait_until("bare axum listens", lambda: listens(self.port))
        return self

    processes = Server.processes
    cpu_seconds = Server.cpu_seconds
    memory_mib = Server.memory_mib


def yardstick(*arguments):
    """What one of the yardsticks that are no servers prints: so many a second."""
    command = [os.environ["YARDSTICKS"], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=directory())
    return float(done.stdout)
