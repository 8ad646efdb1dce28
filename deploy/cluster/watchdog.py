"""Ends what a cluster has started when the program that started it is gone, however it went.

The watchdog reads the ids of processes, one a line, from its standard input, whose other end only the cluster's
program holds. The end of that input means that the program has ended; what still runs then, with all its descendants,
is killed. PR_SET_PDEATHSIG alone would not do: nginx's workers and PostgreSQL's backends are children of what we
started.
"""

import collections
import os
import signal
import sys
import time

Process = collections.namedtuple("Process", "parent state started")


def process(pid):
    """What /proc says of a process, or None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name stands in parentheses, and may hold anything.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(parent=int(fields[1]), state=fields[0], started=int(fields[19]))


def processes():
    """All live processes by id. Those that have ended and wait for their parent do not count."""
    found = ((int(name), process(name)) for name in os.listdir("/proc") if name.isdigit())
    return {pid: one for pid, one in found if one and one.state not in "ZX"}


def tree(roots, snapshot):
    """The ids of `roots` (id → start time) that still are what they were, and of all their descendants."""
    children = collections.defaultdict(list)
    for pid, one in snapshot.items():
        children[one.parent].append(pid)
    waiting = [pid for pid, started in roots.items() if pid in snapshot and snapshot[pid].started == started]
    found = []
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def kill(roots, deadline=10):
    """Kills `roots` and their descendants, and waits until they are gone."""
    known = dict(roots)
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        snapshot = processes()
        # Once a parent is dead, its children are no longer found below it: remember them by themselves.
        known.update((pid, snapshot[pid].started) for pid in tree(known, snapshot))
        left = tree(known, snapshot)
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.05)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    roots = {}
    for line in sys.stdin:
        one = process(int(line))
        if one:
            roots[int(line)] = one.started
    kill(roots)


if __name__ == "__main__":
    main()
