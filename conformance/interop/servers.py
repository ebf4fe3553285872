"""The two servers: Countersign's program and the Django project, each on a free port and killed at the end."""

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import requests

HERE = Path(__file__).parent
SECRET_KEY = "interop-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"
PASSWORD = "correct horse battery staple"

_running = set()
_lock = threading.Lock()
_stopping = False


def stop_all():
    """Kills what runs, and lets nothing more start."""
    global _stopping
    with _lock:
        _stopping = True
        for process in _running:
            _kill(process)


atexit.register(stop_all)


def _kill(process):
    """With its workers: each server leads a process group of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


class Answer(NamedTuple):
    status: int
    text: str

    def __getitem__(self, name):
        """A field of the JSON body."""
        try:
            return json.loads(self.text)[name]
        except (ValueError, KeyError):
            raise RuntimeError(f"no {name!r} in the answer {self.status} {self.text[:500]}") from None


def database_url(database):
    return database if str(database).startswith("postgresql:") else f"sqlite:{database}"


def countersign(database, *arguments, **settings):
    """Runs a subcommand beside any server: its exit status, what it printed, and what it said on standard error."""
    environment = {"DATABASE_URL": database_url(database), "SECRET_KEY": SECRET_KEY} | settings
    command = [os.environ["COUNTERSIGN"], *arguments]
    where = {"cwd": Path(database).parent} if database_url(database).startswith("sqlite:") else {}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **where)
    return done.returncode, done.stdout, done.stderr


class Server:
    """A process that answers HTTP at `self.url`."""

    def __init__(self, name, environment, directory):
        self.name = name
        inherited = {key: os.environ[key] for key in ("PATH", "PYTHONPYCACHEPREFIX") if key in os.environ}
        self.environment = inherited | environment
        self.directory = directory
        self.log = Path(directory, f"{name}.log")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _kill(self.process)
        self.process.wait()
        with _lock:
            _running.discard(self.process)

    def start(self, command, **options):
        with _lock:
            if _stopping:
                raise RuntimeError("stopped before it was done")
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    command, env=self.environment, stderr=log, start_new_session=True, **options
                )
            _running.add(self.process)

    def run(self, command, **options):
        """A command beside the server, with its settings."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=180, **options)

    def get(self, path, access=None):
        return self._ask("GET", path, None, access)

    def post(self, path, **body):
        return self._ask("POST", path, body, None)

    def options(self, path):
        return self._ask("OPTIONS", path, None, None)

    def _ask(self, method, path, body, access):
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        try:
            answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=60)
        except requests.RequestException as error:
            raise RuntimeError(f"{self.name} does not answer: {error}\n{self.log.read_text()}") from error
        return Answer(answer.status_code, answer.text)


class Countersign(Server):
    """Our program, serving a database that it makes itself, or the one that is named."""

    def __init__(self, directory, simple_jwt=None, database=None, **settings):
        self.database = Path(directory, "accounts.sqlite3") if database is None else database
        # A cheap hash, unless the check is about hashes.
        hashing = {"ARGON2_MEMORY_KIB": "64", "ARGON2_ITERATIONS": "1"} if "PASSWORD_HASHER" not in settings else {}
        environment = hashing | {
            "DATABASE_URL": database_url(self.database),
            "PORT": "0",
            "THROTTLE": "off",
            "ACCESS_TOKEN_LIFETIME": "1h",  # as in project.py
            "SECRET_KEY": SECRET_KEY,
            "SIMPLE_JWT_JSON": json.dumps(simple_jwt or {}),
        }
        super().__init__("countersign", environment | settings, directory)
        self.name_field = settings.get("USERNAME_FIELD", "username")
        self.start([os.environ["COUNTERSIGN"]], stdout=subprocess.PIPE, text=True, cwd=directory)
        greeting = self.process.stdout.readline()
        address = re.search(r"listens on (http://\S+)", greeting)
        if not address:
            raise RuntimeError(f"countersign did not start: {greeting}{self.log.read_text()}")
        self.url = address.group(1)

    def command(self, *arguments, stdin=None):
        """What a subcommand prints as JSON."""
        done = self.run([os.environ["COUNTERSIGN"], *arguments, "--json"], cwd=self.directory, input=stdin)
        if done.returncode != 0:
            raise RuntimeError(f"countersign {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def register(self, username):
        answer = self.post("/user/api/register/", username=username, password=PASSWORD)
        return str(answer["id"])

    def log_in(self, username, password=PASSWORD):
        return self.post("/user/api/login/", **{self.name_field: username}, password=password)

    def me(self, access):
        return self.get("/user/api/me/", access)

    def refresh(self, refresh):
        return self.post("/user/api/token/refresh/", refresh=refresh)

    def blacklist(self, refresh):
        return self.post("/user/api/token/blacklist/", refresh=refresh)

    def log_out(self, access, which=""):
        return self._ask("POST", f"/user/api/logout/{which}", None, access)


class Django(Server):
    """The project under gunicorn, on a database that Countersign has made, or that `migrate` is to make."""

    def __init__(self, directory, database, simple_jwt=None, **settings):
        environment = settings | {
            "DATABASE": str(database),
            "SECRET_KEY": SECRET_KEY,
            "SIMPLE_JWT_JSON": json.dumps(simple_jwt or {}),
        }
        super().__init__("django", environment, directory)
        self.name_field = "email" if settings.get("PROJECT") == "people" else "username"
        # Bound here and handed over: no other can take the port, and a first request waits for the start.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--threads", "4"]
            bind = ["--bind", f"fd://{listener.fileno()}"]
            self.start([*gunicorn, *bind, "project:application"], pass_fds=[listener.fileno()], cwd=HERE)

    def manage(self, *arguments):
        return self.run([sys.executable, "project.py", *arguments], cwd=HERE)

    def script(self, *arguments, file="django_data.py"):
        """What a script of ours prints as JSON."""
        done = self.run([sys.executable, file, *arguments], cwd=HERE)
        if done.returncode != 0:
            raise RuntimeError(f"{file} {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def log_in(self, username, password=PASSWORD):
        return self.post("/token/", **{self.name_field: username}, password=password)

    def protected(self, access):
        return self.get("/protected/", access)

    def stateless(self, access):
        return self.get("/stateless/", access)

    def for_user(self, username, **how):
        return self.post("/for-user/", username=username, **how)

    def refresh(self, refresh):
        return self.post("/token/refresh/", refresh=refresh)

    def blacklist(self, refresh):
        return self.post("/token/blacklist/", refresh=refresh)
