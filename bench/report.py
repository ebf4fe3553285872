"""The table: medians with their spread, and each figure beside the one it has to reach."""

import datetime
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
KEYS = HERE.parent / "conformance/keys"
KEY_FILES = {"EdDSA": "ed25519", "ES256": "p256", "RS256": "rsa2048"}
# Measurement, whose figure, beside whose, and the ratio to reach.
BARS = [
    ("me", "countersign", ("me", "bare axum"), 0.65),
    ("refresh", "countersign", ("refresh", "bare axum"), 0.65),
    ("rotate", "countersign", ("rotate", "bare axum"), 0.22),
    ("rotate", "countersign", ("commits", "raw, 32 to a commit"), 0.8),
    ("verify", "countersign", ("verify", "bare axum"), 0.75),
    ("login", "countersign", ("hashes", "raw"), 0.95),
    ("register", "countersign", ("hashes", "raw"), 0.95),
    ("hashing", "ours", ("hashing", "fresh"), 1.5),
    ("me, 64 connections", "PostgreSQL", ("me, 64 connections", "SQLite"), 0.5),
    ("refresh, 64 connections", "PostgreSQL", ("refresh, 64 connections", "SQLite"), 0.5),
    ("rotate, 64 connections", "PostgreSQL", ("rotate, 64 connections", "SQLite"), 0.7),
    ("me", "countersign", ("me", "django"), 100),
    ("refresh", "countersign", ("refresh", "django"), 100),
    ("verify", "countersign", ("verify", "django"), 100),
    ("rotate", "countersign", ("rotate", "django"), 100),
    ("login, equal hashes", "countersign", ("login, equal hashes", "django"), 1.9),
    ("login", "countersign", ("login", "django"), 15),
    ("me, growth", "large", ("me, growth", "small"), 0.8),
    ("refresh, growth", "large", ("refresh, growth", "small"), 0.8),
]
# Fact, part of it, and what it may be at the most.
LIMITS = [
    ("memory, MiB", "idle", 15),
    ("memory, MiB", "after 1,000,000 requests", 60 + 2 * 19),
    ("memory, MiB", "per idle connection, KiB", 12),
    ("exec to first answer, ms", "median of 20", 50),
]


def keys_of(algorithm):
    """Settings by which tokens are signed so."""
    if algorithm not in KEY_FILES:
        return {"ALGORITHM": algorithm}
    name = KEY_FILES[algorithm]
    private, public = (KEYS / f"{name}{end}.pem" for end in ("", ".pub"))
    return {"ALGORITHM": algorithm, "SIGNING_KEY_FILE": str(private), "VERIFYING_KEY_FILE": str(public)}


def rates(figures):
    return [getattr(one, "per_second", one) for one in figures]


def median(bench, measurement, system):
    figures = bench.figures.get(measurement, {}).get(system)
    return statistics.median(rates(figures)) if figures else None


def table(bench):
    """All of it, in Markdown."""
    lines = ["", "| work | beside | ratio | to reach | |", "|---|---|---|---|---|"]
    for measurement, whose, beside, bar in BARS:
        ours, theirs = median(bench, measurement, whose), median(bench, *beside)
        if ours is not None and theirs:
            ratio = ours / theirs
            verdict = "reached" if ratio >= bar else "**missed**"
            lines.append(f"| {measurement}: {whose} | {', '.join(beside)} | {ratio:.2f} | ≥ {bar} | {verdict} |")
    quiet, beside = (median(bench, "p99 of me, ms", name) for name in ["quiet", "beside a storm of logins"])
    if quiet:
        verdict = "reached" if beside / quiet <= 3 else "**missed**"
        lines.append(f"| p99 of me beside a storm of logins | p99 without | {beside / quiet:.2f} | ≤ 3 | {verdict} |")
    for fact, part, limit in LIMITS:
        value = bench.facts.get(fact, {}).get(part)
        if value is not None:
            verdict = "reached" if value <= limit else "**missed**"
            lines.append(f"| {fact}: {part} | | {value:.1f} | ≤ {limit} | {verdict} |")
    lines += ["", "| work | system | median | least to most | p50 ms | p99 ms | µs of processor each |", "|---|---|---|---|---|---|---|"]
    for measurement, systems in bench.figures.items():
        for system, figures in systems.items():
            every = rates(figures)
            more = [f"{statistics.median(values):.2f}" for values in list(zip(*figures))[1:]] if hasattr(figures[0], "_fields") else ["", "", ""]
            lines.append(
                f"| {measurement} | {system} | {statistics.median(every):,.1f} | {min(every):,.1f} to {max(every):,.1f} | {' | '.join(more)} |"
            )
    for fact, parts in bench.facts.items():
        lines += ["", f"{fact}: " + ", ".join(f"{part} {value:.1f}" for part, value in parts.items())]
    return "\n".join(lines)


def write(bench, results):
    """Into a directory: the table, the figures, a plot."""
    results.mkdir(exist_ok=True)
    day = datetime.date.today().isoformat()
    there = [path.stem.removeprefix(day).lstrip("-") or "1" for path in results.glob(f"{day}*.md")]
    if there:
        day += f"-{max(map(int, there)) + 1}"
    plan = bench.plan
    how = f"{plan.rounds} rounds of {plan.seconds} s, {plan.hash_seconds} s where passwords are hashed."
    head = f"# {day}\n\n{_machine()} {how}\n"
    (results / f"{day}.md").write_text(head + table(bench) + f"\n\n![The ratios]({day}.svg)\n")
    (results / f"{day}.json").write_text(json.dumps({"figures": bench.figures, "facts": bench.facts}, indent=1) + "\n")
    _plot(bench, results / f"{day}.svg")
    if results == RESULTS:  # others are thrown away
        print(f"\nwritten to bench/results/{day}.md")


def _machine():
    """What it ran on, and at which commit."""
    names = [line.split(": ")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=HERE, check=False).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(names)} × {names[0]}, {memory:.0f} GiB, Linux {platform.release()}, commit {commit}."


def _plot(bench, path):
    """Each ratio as a part of what it has to be."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    bars = []
    for measurement, whose, beside, bar in BARS:
        ours, theirs = median(bench, measurement, whose), median(bench, *beside)
        if ours is not None and theirs:
            bars.append((f"{measurement} / {beside[1]}", ours / theirs / bar))
    if not bars:
        return
    figure, axes = pyplot.subplots(figsize=(8, 0.35 * len(bars) + 1))
    names, values = zip(*reversed(bars))
    axes.barh(names, values, color=["tab:green" if value >= 1 else "tab:red" for value in values])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("ratio reached, as a part of the ratio to reach")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
