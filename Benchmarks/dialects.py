#!/usr/bin/env python3
"""Makes one table of the results that Benchmarks/dialects.sh left in Benchmarks/results/dialects/.

    dialects.py [VERSION]    prints it; VERSION says what was measured
"""

import json
import sys

import table

RESULTS = table.TREE / "Benchmarks" / "results" / "dialects"

GROUPS = {
    "native": "native",
    "gowebsocket": "gowebsocket",
    "seed": "clusterchat (seed)",
    "course": "clusterchat (course)",
    "paced": "clusterchat (seed), paced",
}
PROFILES = {
    "pairs-100": "Pairs: 100 connections write to one another, one message of each under way",
    "pairs-500": "Pairs: 500 connections",
    "room-100": "Room: one writes to 100, one message under way",
    "room-500": "Room: one writes to 500, one message under way",
    "room-500-window": "Room of 500, eight messages under way",
}

# What the protocols' own servers did: deliveries a second, CPU seconds per million deliveries. Source: measured on a machine of this
# kind, rooms of the same sizes and one figure for pairs; not stored, at most once.
GOWEBSOCKET_PAIRS, CLUSTERCHAT_PAIRS, CLUSTERCHAT_ROOM = (7_000, 206), (61_000, 19.8), (49_000, 20.8)
OTHERS = {
    ("gowebsocket", "pairs-100"): GOWEBSOCKET_PAIRS,
    ("gowebsocket", "pairs-500"): GOWEBSOCKET_PAIRS,
    ("gowebsocket", "room-500"): (74_000, 14.4),
    ("gowebsocket", "room-500-window"): (90_000, 12.9),
    **{(group, f"pairs-{many}"): CLUSTERCHAT_PAIRS for group in ("seed", "course", "paced") for many in (100, 500)},
    **{(group, "room-100"): CLUSTERCHAT_ROOM for group in ("seed", "course", "paced")},
}
HEAD = [
    "protocol", "per second", "CPU", "p50 / p99 / p99.9 / max ms", "old server", "its CPU", "rate: ours / old",
    "CPU: ours / old", "sent", "delivered", "lost / repeated / out of order",
]
LEGEND = """\
*Per second* counts deliveries; *CPU* is the server's CPU seconds per million deliveries, user and system time of all its \
processes. The old servers' figures are of gowebsocket's and clusterchat's own servers, measured on a machine of this kind; not \
stored, at most once. Here each message is stored (fsync) before it is delivered. A rate above 1 × and CPU below 1 × are in our \
favour. *Paced*: the server leaves 5 ms between two messages to one client, as it does unless told otherwise; elsewhere the pause \
is 0."""


def row(group, profile, result):
    counts = result["integrity"]
    other = OTHERS.get((group, profile))
    faults = [f"{counts[name]:,}" for name in ("lost", "repeated", "outOfOrder")]
    if counts["misdelivered"]:
        faults.append(f"{counts['misdelivered']:,} misdelivered")
    is_busy = result["generatorCPUSeconds"] / result["seconds"] > 0.9
    return [
        GROUPS[group],
        table.number(table.rate(result)) + ("*" if is_busy else ""),
        table.number(table.cpu(result)),
        table.latencies(result),
        table.number(other[0]) if other else "–",
        table.number(other[1]) if other else "–",
        table.times(table.rate(result), other[0]) if other else "–",
        table.times(table.cpu(result), other[1]) if other else "–",
        f"{counts['sent']:,}",
        f"{counts['delivered']:,}",
        " / ".join(faults),
    ]


def draw(rows):
    lines = [HEAD] + rows
    # Titles stand in the first column alone and may be wider than it.
    widths = [max(len(line[column]) for line in lines if line[1]) for column in range(len(HEAD))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    return drawn[:1] + ["| " + " | ".join("-" * width for width in widths) + " |"] + drawn[1:]


def main(version):
    results = {}
    for path in RESULTS.glob("*.json"):
        result = json.loads(path.read_text())
        results[result["system"], result["profile"]] = result
    if not results:
        sys.exit("there are no results: run Benchmarks/dialects.sh first")
    rows = []
    for profile, title in PROFILES.items():
        found = [group for group in GROUPS if (group, profile) in results]
        if found:
            rows.append([f"**{title}**"] + [""] * (len(HEAD) - 1))
            rows += [row(group, profile, results[group, profile]) for group in found]
    sizes = " and ".join(str(size) for size in sorted({result["size"] for result in results.values()}))
    facts = [version, table.machine(), "loopback", f"messages of {sizes} bytes"]
    print("; ".join(fact for fact in facts if fact) + ".\n")
    print("\n".join(draw(rows)) + "\n")
    print(LEGEND)
    if any(result["generatorCPUSeconds"] / result["seconds"] > 0.9 for result in results.values()):
        print("\n\\* The generator was busy all the time, so that the rate may be its own; the CPU seconds hold.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
