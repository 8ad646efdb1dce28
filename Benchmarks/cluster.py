#!/usr/bin/env python3
"""Measures clusters of one and of three nodes on this machine, side by side: PostgreSQL with a synchronous standby, Redis, and
the same load on the nodes.

    Benchmarks/cluster.py [--martlet .build/release/martlet] [--seconds 10] [--json FILE]

For each profile it tells deliveries a second, latency, CPU by part of the cluster and delivery, and what went over the bus for
each message. All of it shares this machine's cores, so what counts is CPU, not the rate.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

TREE = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
PROFILES = {
    "pairs": ["pairs", "--connections", "600", "--rate", "1000"],
    "pairs, busy": ["pairs", "--connections", "100", "--rate", "0", "--window", "4"],
    "group": ["group", "--connections", "300", "--senders", "10", "--rate", "50"],
    "room": ["room", "--connections", "600", "--senders", "10", "--rate", "50"],
}
USERS = 600


class Cluster:
    """A cluster under cluster.py, for as long as the block lasts."""

    def __init__(self, martlet, nodes, folder):
        self.martlet, self.folder = martlet, folder
        command = [sys.executable, str(TREE / "deploy/cluster/cluster.py"), "--json", "--martlet", martlet,
                   "--data", str(folder / f"cluster-{nodes}"), "--nodes", str(nodes), "--no-nginx",
                   "--set", "no-rate-limits=true"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the cluster did not start; try make cluster")
        self.facts = json.loads(line)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MARTLET_")}

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def run(self, *arguments):
        config = self.facts["nodes"][0]["config"]
        done = subprocess.run([self.martlet, *arguments, "--config", config], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"martlet {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def tokens(self):
        names = [f"bench{number}" for number in range(USERS)]
        users = self.folder / "users.csv"
        users.write_text("username,password,nickname\n" + "".join(f"{name},,{name}\n" for name in names))
        self.run("user", "import", str(users))
        (self.folder / "names").write_text("\n".join(names))
        path = self.folder / "tokens"
        path.write_text(self.run("token", "--from", str(self.folder / "names")))
        return path

    def metric(self, name):
        total = 0.0
        for node in self.facts["nodes"]:
            with urllib.request.urlopen(node["url"] + "/metrics", timeout=5) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith(name + " ") or line.startswith(name + "{"):
                        total += float(line.rsplit(" ", 1)[1])
        return total

    def cpu(self):
        """CPU seconds so far, by part."""
        return {
            "nodes": sum(cpu_of(node["pid"]) for node in self.facts["nodes"]),
            "postgres": sum(cpu_of(server["pid"]) for server in self.facts["postgres"]),
            "redis": sum(cpu_of(server["pid"]) for server in self.facts["redis"]),
        }


def cpu_of(root):
    """Of a process and of all that it started, those that have ended included."""
    children = {}
    times = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                times[int(entry.name)] = sum(int(field) for field in fields[11:15])
    pending, total = [root], 0
    while pending:
        process = pending.pop()
        total += times.get(process, 0)
        pending += children.get(process, [])
    return total / TICKS


def measure(cluster, name, seconds, tokens):
    urls = [part for node in cluster.facts["nodes"] for part in ("--url", f"ws://127.0.0.1:{node['port']}/ws")]
    command = [cluster.martlet, "bench", *PROFILES[name], "--tokens", str(tokens), "--duration", str(seconds), "--warmup", "0",
               "--json", *urls]
    counters = ["martlet_bus_frames_sent_total", "martlet_bus_frames_received_total", "martlet_bus_sent_bytes_total",
                "martlet_log_events_total", "martlet_log_commits_total", "martlet_deliveries_total"]
    before, cpu = {name: cluster.metric(name) for name in counters}, cluster.cpu()
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=seconds + 120)
    if not done.stdout.strip():
        raise SystemExit(f"martlet bench {name}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    after, spent = {name: cluster.metric(name) - before[name] for name in counters}, cluster.cpu()
    spent = {part: spent[part] - cpu[part] for part in spent}
    messages, deliveries = after["martlet_log_events_total"], after["martlet_deliveries_total"]
    return {
        "nodes": len(cluster.facts["nodes"]), "profile": name, "sound": done.returncode == 0, "messages": messages,
        "deliveries": deliveries, "commits": after["martlet_log_commits_total"], "report": report,
        "cpuPerMillionDeliveries": {part: spent[part] / deliveries * 1e6 for part in spent},
        "cpuPerMillionMessages": {part: spent[part] / messages * 1e6 for part in spent},
        "framesSentPerMessage": after["martlet_bus_frames_sent_total"] / messages,
        "framesReceivedPerMessage": after["martlet_bus_frames_received_total"] / messages,
        "busBytesPerMessage": after["martlet_bus_sent_bytes_total"] / messages,
    }


def row(result):
    cpu, report = result["cpuPerMillionDeliveries"], result["report"]
    latency = report["latencyMicroseconds"]
    p99 = (latency.get("delivered") or latency.get("last receiver") or {}).get("p99")
    return (f"| {result['profile']} | {result['nodes']} | {result['messages']:.0f} | "
            f"{result['messages'] / result['commits']:.1f} | {result['deliveries']:.0f} | "
            f"{'-' if p99 is None else f'{p99 / 1000:.1f}'} | {cpu['nodes']:.0f} | {cpu['postgres']:.0f} | {cpu['redis']:.1f} | "
            f"{result['framesSentPerMessage']:.2f} | {result['framesReceivedPerMessage']:.2f} | "
            f"{result['busBytesPerMessage']:.0f} | {'yes' if result['sound'] else 'NO'} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--martlet", default=str(TREE / ".build/release/martlet"))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    results = []
    print("| profile | nodes | messages | messages by commit | deliveries | p99 ms | CPU s per million deliveries: nodes | PostgreSQL | Redis | "
          "frames sent per message | received | bytes on the bus per message | sound |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for nodes in (1, 3):
            cluster = Cluster(options.martlet, nodes, pathlib.Path(folder))
            try:
                for name in PROFILES:
                    results.append(measure(cluster, name, options.seconds, cluster.tokens()))
                    print(row(results[-1]), flush=True)
            finally:
                cluster.stop()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    return 0 if all(result["sound"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
