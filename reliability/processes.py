"""The processes under test: PostgreSQL, replicas of Countersign, HAProxy; each on a free port, killed at the end."""

import atexit
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SECRET_KEY = "reliability-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"

_running = []
_at_end = []
_directory = None


def directory():
    """Where everything lies; others may look in, because PostgreSQL runs as somebody else when we are root."""
    global _directory
    if _directory is None:
        _directory = Path(tempfile.mkdtemp(prefix="countersign-reliability-"))
        _directory.chmod(0o755)
    return _directory


def when_done(function):
    """To be called at the end, whatever happens."""
    _at_end.append(function)


def clean_up():
    for function in _at_end:
        function()
    for process in reversed(_running):
        process.kill()
    if _directory is not None and os.environ.get("KEEP") != "1":
        shutil.rmtree(_directory, ignore_errors=True)


atexit.register(clean_up)


def free_ports(count):
    """Free a moment ago; all at once, so that they differ."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def wait_until(what, holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.05)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A program in a process group of its own, with its output in a file."""

    def __init__(self, name):
        self.name = name
        self.process = None
        self.log = directory() / f"{name}.log"
        _running.append(self)

    def spawn(self, command, environment=None):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
                cwd=directory(),
            )

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self):
        """As `kill -9` does it."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class Replica(Process):
    """`countersign serve`."""

    def __init__(self, number, port, database_url, **settings):
        super().__init__(f"countersign-{number}")
        self.port = port
        self.environment = {"PATH": os.environ["PATH"]} | {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET_KEY,
            "PORT": str(port),
            "THROTTLE": "off",
            "PASSWORD_HASHER": "argon2id",  # a cheap one: the load is not about hashing
            "ARGON2_MEMORY_KIB": "64",
            "ARGON2_ITERATIONS": "1",
            "ROTATE_REFRESH_TOKENS": "True",
            "BLACKLIST_AFTER_ROTATION": "True",
            "ACCESS_TOKEN_LIFETIME": "1h",
            "LOG": os.environ.get("LOG", "info"),
        } | settings

    def start(self, wait=True):
        self.spawn([os.environ["COUNTERSIGN"]], self.environment)
        if wait:
            self.wait()

    def wait(self, seconds=30):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} has ended:\n{self.log.read_text()[-2000:]}")
            return listens(self.port)

        wait_until(f"{self.name} listens", ready, seconds)

    def command(self, *arguments):
        """What a subcommand prints; it is told of failures as RuntimeError."""
        done = subprocess.run(
            [os.environ["COUNTERSIGN"], *arguments], env=self.environment, capture_output=True, text=True, timeout=60,
            cwd=directory(), check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"countersign {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return done.stdout


class Postgres:
    """A throwaway cluster that waits for its disk (fsync on)."""

    def __init__(self):
        self.programs = self._find()
        self.port = free_ports(1)[0]
        self.data = directory() / "postgres" / "data"
        self.user = next((name for name in ["postgres", "nobody"] if _exists(name)), None) if os.getuid() == 0 else None
        self.data.parent.mkdir()
        if self.user:
            shutil.chown(self.data.parent, self.user)
        _running.append(self)
        self._run("initdb", "-D", self.data, "-U", "countersign", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
                "max_connections = 100\nfsync = on\nsynchronous_commit = on\nfull_page_writes = on\n"
            )
        self.start()

    def start(self):
        self._run("pg_ctl", "-D", self.data, "-l", self.data.parent / "log", "-w", "-t", "60", "start")

    def stop(self, mode):
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop")

    def kill(self):
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")

    def kill_all(self):
        """As `kill -9` does it, the postmaster and all of its processes; and waits until they are gone."""
        postmaster = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        os.kill(postmaster, signal.SIGSTOP)  # so that no child is born meanwhile
        killed = [postmaster, *children_of(postmaster)]
        for process in killed:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:  # one that served a connection, and has ended
                pass
        # Also out of the table of processes, where the next postmaster looks for them.
        wait_until("PostgreSQL is gone", lambda: not any(parent_of(process) for process in killed))

    def version(self):
        return self.query("SELECT split_part(version(), ' on ', 1)")

    def query(self, sql, database="postgres"):
        url = f"postgresql://countersign@127.0.0.1:{self.port}/{database}"
        done = subprocess.run(
            [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url],
            capture_output=True, text=True, timeout=60, check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def _run(self, program, *arguments):
        # pg_ctl's children would hold a pipe open: a file it is.
        with (self.data.parent / "output").open("ab") as output:
            done = subprocess.run(
                [self.programs / program, *arguments], user=self.user, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, cwd="/", check=False, timeout=120, start_new_session=True,
            )
        if done.returncode != 0:
            said = (self.data.parent / "output").read_text()[-2000:]
            raise RuntimeError(f"{program} failed: {said}")

    @staticmethod
    def _find():
        beside = shutil.which("initdb")
        found = [os.path.dirname(beside)] if beside else []
        version = lambda path: int(re.search(r"/(\d+)/bin$", path).group(1))  # noqa: E731
        found += sorted(glob.glob("/usr/lib/postgresql/[0-9]*/bin"), key=version, reverse=True)
        for programs in found:
            if Path(programs, "initdb").is_file() and Path(programs, "psql").is_file():
                return Path(programs)
        raise RuntimeError("there is no PostgreSQL here: install it (Debian: postgresql), then run this again")


def parent_of(process):
    """`None` where there is no such process."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split(" ")[1])
    except OSError:
        return None


def children_of(process):
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [number for number in numbers if parent_of(number) == process]


def _exists(user):
    try:
        pwd.getpwnam(user)
        return True
    except KeyError:
        return False


class Haproxy(Process):
    """HAProxy with a configuration made of a template's text."""

    def __init__(self, name, port, configuration):
        super().__init__(name)
        self.port = port
        self.control = directory() / f"{name}.sock"
        self.configuration = directory() / f"{name}.cfg"
        self.configuration.write_text(configuration.replace("@CONTROL@", str(self.control)))

    def start(self):
        self.spawn(["haproxy", "-db", "-f", self.configuration])
        wait_until(f"{self.name} listens", lambda: listens(self.port))

    def tell(self, command):
        """Over its control socket."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(str(self.control))
            control.sendall(f"{command}\n".encode())
            return control.recv(65536).decode()


def front(port, replicas):
    """HAProxy before the replicas: deploy/ha/haproxy.cfg with other addresses."""
    text = (Path(__file__).parent.parent / "deploy/ha/haproxy.cfg").read_text()
    text = re.sub(r"bind \S+", f"bind 127.0.0.1:{port}", text, count=1)
    text = re.sub(r"stats socket \S+", "stats socket @CONTROL@", text)
    text = re.sub(r"\n    server .*", "", text)
    servers = "".join(f"    server {replica.name} 127.0.0.1:{replica.port}\n" for replica in replicas)
    return Haproxy("haproxy-front", port, text.rstrip("\n") + "\n" + servers)


class Nginx(Process):
    """nginx before the replicas: deploy/ha/nginx.conf with other addresses, and nothing outside our directory."""

    def __init__(self, port, replicas):
        super().__init__("nginx")
        if not shutil.which("nginx"):
            raise RuntimeError("there is no nginx here: install it (Debian: nginx-light), then run this again")
        self.port = port
        self.configuration = directory() / "nginx.conf"
        text = (Path(__file__).parent.parent / "deploy/ha/nginx.conf").read_text()
        text = re.sub(r"listen \S+;", f"listen 127.0.0.1:{port};", text)
        text = re.sub(r"pid \S+;", f"pid {directory()}/nginx.pid;", text)
        for number, replica in enumerate(replicas, 1):
            text = text.replace(f"server 127.0.0.1:800{number} ", f"server 127.0.0.1:{replica.port} ")
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        places = "".join(f"    {kind}_temp_path {directory()}/nginx-{kind};\n" for kind in kinds)
        self.configuration.write_text(text.replace("http {\n", f"http {{\n{places}", 1))

    def start(self):
        self.spawn(["nginx", "-e", "stderr", "-g", "daemon off;", "-c", self.configuration])
        wait_until("nginx listens", lambda: listens(self.port))


def link(port, postgres_port, name="haproxy-link"):
    """The network between replicas and PostgreSQL, to be cut."""
    return Haproxy(
        name, port,
        f"""global
    stats socket @CONTROL@ mode 600 level admin
defaults
    mode tcp
    retries 0
    timeout connect 2s
    timeout client 1h
    timeout server 1h
listen link
    bind 127.0.0.1:{port}
    server postgres 127.0.0.1:{postgres_port}
""",
    )


def repeatedly(seconds, pause, act):
    """Runs `act` over and over for so long, in this thread."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        act()
        time.sleep(pause)
