"""The load on a Patroni cluster (deploy/ha/cluster) parts of which die: nothing acknowledged may be lost."""

import os
import subprocess
import time
import urllib.request
from pathlib import Path

from load import Load
from processes import Replica, directory, free_ports, front, wait_until, when_done

CLUSTER = Path(__file__).parent.parent / "deploy/ha/cluster"
# How `cluster` counts ports from its BASE_PORT.
NODES = (1, 2, 3)
FAULTS = {
    "crash": "the primary's PostgreSQL is killed (-9)",
    "kill": "the primary's machine is killed (-9)",
    "follower": "the synchronous follower's machine is killed (-9)",
    "no-etcd": "etcd loses its majority",
}


class Cluster:
    def __init__(self):
        self.place = directory() / "cluster"
        self.base = int(os.environ.get("BASE_PORT", "25000"))
        when_done(self.remove)
        self.urls = [line.split("=", 1)[1] for line in self.tell("up").splitlines() if line.startswith("DATABASE_URL=")]

    def tell(self, command, *arguments):
        # Its children would hold a pipe open: a file it is.
        said = directory() / "cluster.said"
        with said.open("wb") as output:
            done = subprocess.run(
                [CLUSTER, command, self.place, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=os.environ | {"BASE_PORT": str(self.base)}, timeout=300, check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"cluster {command}: {said.read_text()}")
        return said.read_text()

    def members(self):
        return [line for line in self.tell("status").splitlines() if "node" in line]

    def has_primary(self):
        """Asked of the nodes themselves: etcd may be away."""
        return any(_says_yes(self.base + 9 + node) for node in NODES)

    def is_whole(self):
        """One leads, one follows synchronously, another follows; all on one timeline."""
        lines = self.members()
        following = [line for line in lines if "running" in line or "streaming" in line]
        timelines = {line.split("|")[5].strip() for line in lines}
        return (
            len(following) == 3 and len(timelines) == 1
            and sum("Leader" in line for line in lines) == 1 and sum("Sync Standby" in line for line in lines) == 1
        )

    def remove(self):
        try:
            self.tell("down")
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(error)


def _says_yes(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/primary", timeout=2):
            return True
    except OSError:
        return False


def run(check, judge, wanted):
    cluster = Cluster()
    print("".join(f"{line}\n" for line in cluster.members()), end="", flush=True)
    rows = []
    for way, url in zip(["HAProxy", "several hosts in DATABASE_URL"], cluster.urls):
        front_port, *ports = free_ports(4)
        replicas = [Replica(f"{way.split()[0]}-{number}", port, url) for number, port in enumerate(ports, 1)]
        proxy = front(front_port, replicas)
        for process in [*replicas, proxy]:
            process.start()
        time.sleep(2)
        for fault in FAULTS if way == "HAProxy" else ["crash", "kill"]:
            name = f"{FAULTS[fault]}, {way}"
            if wanted(name):
                rows.append(fail_over(check, judge, cluster, fault, name, front_port, ports))
        for process in [proxy, *replicas]:
            process.kill()
    return rows


def fail_over(check, judge, cluster, fault, name, front_port, ports):
    print(name, flush=True)
    wait_until("the cluster is whole", cluster.is_whole, 120)
    with Load(front_port) as load:
        time.sleep(4)
        said = cluster.tell(fault).strip()
        began = time.monotonic()
        if fault == "no-etcd":
            wait_until("the primary gives up its part", lambda: not cluster.has_primary(), 60)
            check.holds(f"the primary gives up its part after {time.monotonic() - began:.0f} s", True)
            time.sleep(15)
            cluster.tell("etcd")
            began = time.monotonic()
        time.sleep(0.5)
        # Until the service has answered rightly for five seconds, or for a minute.
        while time.monotonic() < began + 60:
            time.sleep(0.5)
            good = load.record.good_at[-1:]
            since = [at for at in list(load.record.good_at) if at > time.monotonic() - 5]
            if good and len(since) > 300 and time.monotonic() > began + 8:
                break
    print(f"  {said}; now:")
    print("".join(f"  {line}\n" for line in cluster.members()), end="", flush=True)
    row = judge(check, name, load.record, ports)
    if fault in ("kill", "follower"):
        cluster.tell("node", said.split()[1])
    wait_until("the cluster is whole again", cluster.is_whole, 120)
    check.holds("the cluster is whole again", True)
    return row
