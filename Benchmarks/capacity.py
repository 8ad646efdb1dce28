#!/usr/bin/env python3
"""How much of everything so many users need. docs/scaling.md explains the model and holds this program's tables.

capacity.py                                 prints the tables
capacity.py --users 50000000                for other numbers of users
capacity.py --set messages_per_user=40 --set node_cores=16
capacity.py --write                         writes the tables into docs/scaling.md
"""

import argparse
import math
import pathlib

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
SIZES = [100_000, 10_000_000, 1_000_000_000]
DAY = 86_400

# name: (value, unit, where it comes from). "assumed" is a guess to be replaced; all else was measured where it says.
CONSTANTS = {
    # How people behave.
    "connected_share": (0.10, "of all users at the busiest time", "assumed"),
    "sessions_per_connected": (1.2, "sessions of a connected user", "assumed"),
    "messages_per_user": (12, "messages a day, mean of all users", "assumed"),
    "peak": (4, "busiest second to mean second", "assumed"),
    "group_share": (0.4, "of messages go to groups", "assumed"),
    "direct_deliveries": (1.5, "sessions that get a direct message", "assumed"),
    "group_deliveries": (8, "sessions that get a group's message", "assumed"),
    "receiver_online": (0.5, "of receivers of direct messages are connected", "assumed"),
    "retention_days": (365, "days that events are kept", "assumed"),
    # What a node costs.
    "session_bytes": (4106, "bytes of a silent session", "performance.md: 15,000 silent sessions"),
    "message_cpu": (
        359,
        "µs of a node's CPU for a message and its first delivery",
        "performance.md: pairs over three nodes, one message by commit",
    ),
    "delivery_cpu": (11, "µs for each further delivery", "performance.md: room of 600 over three nodes"),
    "heartbeat_cpu": (10.4, "µs for a heartbeat and its answer", "performance.md: echo"),
    "heartbeat": (25, "seconds between two heartbeats", "gateway.heartbeat as shipped"),
    # What the bus costs.
    "publish_cpu": (8.9, "µs of Redis for a publication", "redis-bus.py: no subscriber, one under way"),
    "push_cpu": (7.4, "µs of Redis for each node that gets it", "redis-bus.py: three subscribers less none, by three"),
    "compare": (30, "seconds between two comparisons of followed topics with the log", "bus-compare as shipped"),
    "directs": (50, "direct conversations of a user, ever", "assumed"),
    "compare_cpu": (6, "µs of the primary to look up where a conversation stands", "decisions/010: 4 to 8 ms for 1,000"),
    "compare_share": (0.25, "of one connection's time that a node compares at most", "decisions/012"),
    # What the database costs.
    "appends": (
        28_600,
        "messages a second that one primary stores",
        "decisions/010: batches of 256 on one connection, fsync, no standby",
    ),
    "database_cpu": (480, "µs of the primary's CPU for a message", "performance.md: pairs, one message by commit, standby included"),
    "event_bytes": (286, "bytes of a stored message of 100 bytes, with its index", "postgres-bytes.py"),
    "retry_bytes": (209, "bytes of its retry record, kept for a day or two", "postgres-bytes.py"),
    "wal_bytes": (843, "bytes of WAL for a message", "postgres-bytes.py"),
    # How full things may get.
    "node_cores": (8, "cores of a node", "assumed"),
    "database_cores": (16, "cores of a primary", "assumed"),
    "node_sessions": (250_000, "sessions of a node: what comes back at once when it dies", "assumed"),
    "proxy_connections": (200_000, "connections of a proxy", "assumed"),
    "load": (0.5, "of what was measured is used at the busiest time", "assumed"),
    "database_bytes": (10e12, "bytes that one primary holds before it gets unwieldy", "assumed"),
}


def model(users, constants):
    """Returns name → number."""
    c = constants
    out = {"users": users}
    out["sessions"] = users * c["connected_share"] * c["sessions_per_connected"]
    out["messages_day"] = users * c["messages_per_user"]
    messages = out["messages"] = out["messages_day"] / DAY * c["peak"]
    direct, group = 1 - c["group_share"], c["group_share"]
    out["deliveries"] = messages * (direct * c["direct_deliveries"] + group * c["group_deliveries"])

    heartbeats = out["sessions"] / c["heartbeat"] * c["heartbeat_cpu"]
    first = messages * c["message_cpu"]
    further = max(0, out["deliveries"] - messages) * c["delivery_cpu"]
    out["node_cpu"] = (heartbeats + first + further) / 1e6
    by_cpu = out["node_cpu"] / (c["node_cores"] * c["load"])
    by_sessions = out["sessions"] / c["node_sessions"]
    # One more than needed, so that one may be away.
    out["nodes"] = max(math.ceil(max(by_cpu, by_sessions)), 1) + 1
    out["nodes_by"] = "sessions" if by_sessions > by_cpu else "CPU"
    out["node_memory"] = out["sessions"] / out["nodes"] * c["session_bytes"]
    out["proxies"] = max(math.ceil(out["sessions"] / c["proxy_connections"]), 1) + 1

    # Topics of both users of a direct message; the sender's own node follows his.
    reached = nodes_reached(out["nodes"], c["group_deliveries"])
    out["publications"] = messages * (direct * 2 + group)
    out["pushes"] = messages * (direct * (1 + c["receiver_online"]) + group * reached)
    out["redis_cpu"] = (out["publications"] * c["publish_cpu"] + out["pushes"] * c["push_cpu"]) / 1e6
    # Redis does this on one core.
    out["redis"] = max(math.ceil(out["redis_cpu"] / c["load"]), 1) + 1

    # Of one node; it takes longer than its period where it has more to do than it may.
    work = users * c["connected_share"] / out["nodes"] * c["directs"] * c["compare_cpu"] / 1e6
    out["compare_time"] = max(c["compare"], work / c["compare_share"])
    out["compare_cpu"] = out["nodes"] * work / out["compare_time"]

    kept = out["messages_day"] * (c["retention_days"] * c["event_bytes"] + 2 * c["retry_bytes"])
    out["stored"] = kept
    out["wal_day"] = out["messages_day"] * c["wal_bytes"]
    out["database_cpu"] = messages * c["database_cpu"] / 1e6 + out["compare_cpu"]
    by_cpu = out["database_cpu"] / (c["database_cores"] * c["load"])
    by_rate, by_size = max(messages / (c["appends"] * c["load"]), by_cpu), kept / c["database_bytes"]
    out["databases"] = max(math.ceil(max(by_rate, by_size)), 1)
    out["databases_by"] = "bytes" if by_size > by_rate else "messages a second"
    return out


def nodes_reached(nodes, sessions):
    """Nodes on which at least one of so many sessions is, when each may be on any of them."""
    return nodes * (1 - (1 - 1 / nodes) ** sessions)


ROWS = [
    ("sessions at the busiest time", lambda o: number(o["sessions"])),
    ("messages a day", lambda o: number(o["messages_day"])),
    ("messages a second, busiest", lambda o: number(o["messages"])),
    ("deliveries a second, busiest", lambda o: number(o["deliveries"])),
    ("cores that nodes are busy with", lambda o: number(o["node_cpu"])),
    ("**nodes**, one of them to spare", lambda o: f"**{o['nodes']:,}** (by {o['nodes_by']})"),
    ("memory of sessions by node", lambda o: size(o["node_memory"])),
    ("proxies, one of them to spare", lambda o: f"{o['proxies']:,}"),
    ("publications on the bus a second", lambda o: number(o["publications"])),
    ("of them pushed to nodes", lambda o: number(o["pushes"])),
    ("**Redis servers**, one of them to spare", lambda o: f"**{o['redis']:,}**"),
    ("cores of primaries that compare topics with the log", lambda o: number(o["compare_cpu"])),
    ("seconds in which each topic is compared once", lambda o: number(o["compare_time"])),
    ("stored", lambda o: size(o["stored"])),
    ("WAL a day", lambda o: size(o["wal_day"])),
    ("cores that primaries are busy with", lambda o: number(o["database_cpu"])),
    ("**PostgreSQL primaries**", lambda o: f"**{o['databases']:,}** (by {o['databases_by']})"),
]


def number(value):
    """Two digits, for the model knows no more."""
    if value < 10:
        return f"{value:.2g}"
    digits = math.floor(math.log10(value)) - 1
    return f"{round(value / 10**digits) * 10**digits:,}"


def size(value):
    units = ["bytes", "KB", "MB", "GB", "TB", "PB"]
    step = min(int(math.log10(value) // 3), len(units) - 1)
    return f"{number(value / 1000**step)} {units[step]}"


def constants_table(constants):
    lines = ["| name | value | meaning | from |", "| --- | --- | --- | --- |"]
    for name, (_, unit, origin) in CONSTANTS.items():
        lines.append(f"| `{name}` | {constants[name]:,} | {unit} | {origin} |".replace(".0 |", " |"))
    return "\n".join(lines)


def results_table(sizes, constants):
    models = [model(users, constants) for users in sizes]
    lines = ["| | " + " | ".join(f"{users:,} users" for users in sizes) + " |", "| --- " * (len(sizes) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(show(one) for one in models) + " |" for name, show in ROWS]
    return "\n".join(lines)


def tables(sizes, constants):
    return {"constants": constants_table(constants), "results": results_table(sizes, constants)}


def put(page, found):
    """The page with these tables between their markers."""
    for name, table in found.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, _, rest = page.partition(begin)
        _, there, after = rest.partition(end)
        if not there:
            raise SystemExit(f"{PAGE} has no markers for {name}")
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def main():
    parser = argparse.ArgumentParser(description="How much of everything so many users need.")
    parser.add_argument("--users", type=int, action="append", metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scaling.md")
    options = parser.parse_args()
    constants = {name: value for name, (value, _, _) in CONSTANTS.items()}
    for text in options.set:
        name, _, value = text.partition("=")
        if name not in constants:
            parser.error(f"{name} is none of {', '.join(constants)}")
        try:
            constants[name] = float(value)
        except ValueError:
            parser.error(f"{text} has no number")
    if any(users < 1 for users in options.users or []):
        parser.error("--users takes a number from 1 on")
    if options.write:
        if options.users or options.set:
            parser.error("the page has the shipped figures")
        PAGE.write_text(put(PAGE.read_text(), tables(SIZES, constants)))
    else:
        print("\n\n".join(tables(options.users or SIZES, constants).values()))


if __name__ == "__main__":
    main()
