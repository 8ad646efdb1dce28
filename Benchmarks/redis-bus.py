#!/usr/bin/env python3
"""What a message on the bus costs Redis: CPU seconds of the server per million SPUBLISH.

    redis-bus.py [SECONDS]      starts a Redis of its own, publishes for so long for each line, and prints a table

Each topic has the given number of subscribers. The publisher keeps some commands under way: nodes pipeline what a
turn of their loops brings. CPU time of the server's process is what counts: it holds also where others use the
machine.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOPICS = 1000
PAYLOAD = b"x" * 300


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def topic(number):
    return b"u:%d" % number


def swallow(connection):
    """Reads and forgets, as cheaply as Python can."""
    buffer = bytearray(1 << 20)
    try:
        while connection.recv_into(buffer):
            pass
    except OSError:
        pass


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="utf-8").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(server, port, subscribers, depth, seconds):
    """Returns (published per second, CPU seconds per million)."""
    readers = []
    for _ in range(subscribers):
        reader = connect(port)
        reader.sendall(b"".join(command(b"SSUBSCRIBE", topic(number)) for number in range(TOPICS)))
        threading.Thread(target=swallow, args=[reader], daemon=True).start()
        readers.append(reader)
    time.sleep(0.5)
    publisher = connect(port)
    turns = [
        b"".join(command(b"SPUBLISH", topic((turn * depth + n) % TOPICS), PAYLOAD) for n in range(depth))
        for turn in range(64)
    ]
    # Each answer is `:N\r\n` with one digit.
    answer = 4 * depth
    count, begin, before = 0, time.monotonic(), cpu_seconds(server.pid)
    while time.monotonic() - begin < seconds:
        publisher.sendall(turns[count // depth % 64])
        left = answer
        while left:
            left -= len(publisher.recv(left))
        count += depth
    used, took = cpu_seconds(server.pid) - before, time.monotonic() - begin
    for connection in [publisher, *readers]:
        connection.close()
    time.sleep(0.2)
    return count / took, used / count * 1e6


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [
                "redis-server",
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                folder,
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            print("| subscribers of a topic | under way | published a second | CPU seconds per million |")
            print("| --- | --- | --- | --- |")
            for subscribers in (0, 1, 3):
                for depth in (1, 16, 128):
                    rate, cost = measure(server, port, subscribers, depth, seconds)
                    print(f"| {subscribers} | {depth} | {rate:,.0f} | {cost:.1f} |", flush=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
