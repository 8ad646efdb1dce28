#!/usr/bin/env python3
"""Makes one table of the results that Benchmarks/peers.sh left in Benchmarks/results/peers/.

    table.py                    prints it
    table.py --write            writes it into docs/performance.md, between the markers `peers:begin` and `peers:end`
    table.py --note NAME TEXT   notes when and in which version a system is measured (peers.sh does)
"""

import datetime
import json
import os
import pathlib
import platform
import re
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent
RESULTS = TREE / "Benchmarks" / "results" / "peers"
NOTES = RESULTS / "notes"
PAGE = TREE / "docs" / "performance.md"
BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"

# The order of the table, and what a message that was sent may count on.
SYSTEMS = {
    "martlet": "stored (fsync) before acknowledged",
    "floor": "none: bare epoll loop in C",
    "nio": "none: bare SwiftNIO handler",
    "redis": "at most once",
    "nats": "at most once",
    "mosquitto": "at most once (QoS 0)",
    "prosody": "stored when offline",
    "ejabberd": "stored when offline",
}
PROFILES = {
    "pairs": "Pairs: {connections} connections write to one another, one message of each under way",
    "pairs-window": "Pairs, eight messages of each under way",
    "pairs-paced": "Pairs, {rate:,.0f} messages a second by a timetable",
    "room": "Room: one writes to {receivers:,}, one message under way",
    "room-window": "Room of {receivers:,}, eight messages under way",
    "room-200": "Room of {receivers:,}, one message under way",
    "room-200-window": "Room of {receivers:,}, eight messages under way",
    "echo": "Echo: {connections} connections have their pings answered",
}
HEAD = [
    "system", "guarantee", "per second", "p50 / p99 / p99.9 / max ms", "CPU", "Martlet's rate", "Martlet's CPU",
    "bytes/conn.", "sent", "delivered", "lost / repeated / out of order",
]


def note(name, version):
    NOTES.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    fact = {"version": version.strip(), "date": now.strftime("%Y-%m-%d %H:%M"), "machine": machine()}
    (NOTES / f"{name}.json").write_text(json.dumps(fact) + "\n")


def machine():
    def read(path):
        try:
            return pathlib.Path(path).read_text()
        except OSError:
            return ""

    def find(pattern, text):
        match = re.search(pattern, text, re.MULTILINE)
        return match.group(1) if match else ""

    kilobytes = int(find(r"^MemTotal:\s*(\d+)", read("/proc/meminfo")) or 0)
    facts = [
        f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores",
        find(r"^model name\s*: (.*)", read("/proc/cpuinfo")),
        f"{round(kilobytes / 1048576)} GiB" if kilobytes else "",
        f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        find(r'^PRETTY_NAME="(.*)"', read("/etc/os-release")),
    ]
    return ", ".join(fact for fact in facts if fact)


def load():
    results = {}
    for path in RESULTS.glob("*.json"):
        result = json.loads(path.read_text())
        results[result["profile"], result["system"]] = result
    notes = {path.stem: json.loads(path.read_text()) for path in NOTES.glob("*.json")}
    return results, notes


def rate(result):
    return result["delivered"] / result["seconds"]


def cpu(result):
    seconds = result.get("serverCPUSeconds")
    return seconds / result["delivered"] * 1e6 if seconds and result["delivered"] else None


def is_overloaded(result):
    return result.get("deliveredRatio", 1) < 0.995


def is_late(result):
    return any("late" in warning for warning in result["warnings"])


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(own, other):
    return f"{own / other:.2f} ×" if own and other else "–"


def latencies(result):
    latency = result.get("deliveredLatency")
    if not latency:
        return "–"
    values = " / ".join(number(latency[key] / 1000) for key in ("p50", "p99", "p999", "max"))
    if is_overloaded(result):
        return values + " (overloaded)"
    return values + (" (generator late)" if is_late(result) else "")


def row(system, result, martlet):
    counts = result["integrity"]
    faults = [counts["lost"], counts["repeated"], counts["outOfOrder"]]
    if counts["misdelivered"]:
        faults.append(f"{counts['misdelivered']:,} misdelivered")
    is_busy = result["generatorCPUSeconds"] / result["seconds"] > 0.9
    own = martlet if system != "martlet" else None
    return [
        system,
        "–" if result["load"] == "echo" else SYSTEMS[system],
        number(rate(result)) + ("*" if is_busy else ""),
        latencies(result),
        number(cpu(result)),
        times(own and rate(own), rate(result)) if result["rate"] == 0 else "–",
        times(own and cpu(own), cpu(result)),
        # One message under way: the server has done nothing before but take connections.
        number(result.get("serverBytesPerConnection")) if result["load"] == "room" and result["window"] == 1 else "–",
        f"{counts['sent']:,}",
        f"{counts['delivered']:,}",
        " / ".join(f"{fault:,}" if isinstance(fault, int) else fault for fault in faults),
    ]


def table():
    results, notes = load()
    if not results:
        sys.exit("there are no results: run Benchmarks/peers.sh first")
    rows = []
    for profile, title in PROFILES.items():
        found = [system for system in SYSTEMS if (profile, system) in results]
        if not found:
            continue
        first = results[profile, found[0]]
        facts = {"connections": first["connections"], "receivers": first["connections"] - 1, "rate": first["rate"]}
        rows.append([f"**{title.format(**facts)}**"] + [""] * (len(HEAD) - 1))
        rows += [row(system, results[profile, system], results.get((profile, "martlet"))) for system in found]
    return "\n".join([summary(results, notes), ""] + draw(rows) + ["", legend(results)])


def summary(results, notes):
    machines = sorted({fact["machine"] for fact in notes.values()})
    dates = sorted(fact["date"] for fact in notes.values())
    sizes = sorted({result["size"] for result in results.values()})
    seconds = sorted({round(result["seconds"]) for result in results.values()})
    versions = ", ".join(f"{system} {notes[system]['version']}" for system in SYSTEMS if system in notes)
    days = sorted({date[:10] for date in dates})
    return (
        f"{' to '.join(dict.fromkeys([days[0], days[-1]])) if days else ''}; {'; '.join(machines)}; loopback; "
        f"messages of {' and '.join(map(str, sizes))} bytes; {' and '.join(map(str, seconds))} s each. "
        f"Versions: {versions}."
    )


def draw(rows):
    # Titles stand in the first column alone and may be wider than it.
    lines = [HEAD] + rows
    widths = [max(len(line[column]) for line in lines if line[1] or line is HEAD) for column in range(len(HEAD))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    return drawn[:1] + ["| " + " | ".join("-" * width for width in widths) + " |"] + drawn[1:]


def legend(results):
    lines = [
        "*Per second* counts deliveries, *CPU* is the server's CPU seconds per million deliveries (user and system time of "
        "all its processes), *Martlet's rate* and *Martlet's CPU* are Martlet's figure divided by this system's. "
        "*Bytes/conn.* is resident memory after connecting, less before, by connection. Integrity counts the whole run."
    ]
    if any(result["generatorCPUSeconds"] / result["seconds"] > 0.9 for result in results.values()):
        lines.append("\\* The generator was busy all the time, so that the rate may be its own; the CPU seconds hold.")
    if any(is_overloaded(result) for result in results.values()):
        lines.append("*Overloaded*: less than 99.5 % of the timetable was delivered in time, so that latency means nothing.")
    if any(is_late(result) for result in results.values()):
        lines.append("*Generator late*: it sent 1 % of its messages more than 10 ms late; the machine was not quiet.")
    return "\n\n".join(lines)


def write(text):
    page = PAGE.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        sys.exit(f"{PAGE} lacks the markers {BEGIN} and {END}")
    # Without the spaces that make it readable in a terminal.
    text = re.sub(r" +\|", " |", re.sub(r"-{3,}(?= \|)", "---", text))
    head, rest = page.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--note"] and len(arguments) == 3:
        note(arguments[1], arguments[2])
    elif arguments == ["--write"]:
        write(table())
    elif not arguments:
        print(table())
    else:
        sys.exit(__doc__)
