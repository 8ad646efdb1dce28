"""Runs cluster.py with real PostgreSQL, Redis and nginx, and stand_in.py in the nodes' place."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import watchdog

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = 90


class Run:
    """One run of cluster.py, driven as a program would."""

    def __init__(self, data, *arguments):
        self.errors = open(data.with_suffix(".errors"), "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-B",
                str(HERE / "cluster.py"),
                f"--data={data}",
                f"--martlet={HERE / 'stand_in.py'}",
                "--json",
                *arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.facts = self.event("ready")

    def event(self, name):
        """The next event of this name; the test fails where the cluster ends instead."""
        for line in self.process.stdout:
            facts = json.loads(line)
            if facts["event"] == name:
                return facts
        self.errors.seek(0)
        raise AssertionError(f"no event {name}: {self.errors.read()[-2000:]}")

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    @property
    def pids(self):
        facts = self.facts
        servers = [*facts["nodes"], *facts["redis"], *facts["postgres"], *([facts["nginx"]] if facts["nginx"] else [])]
        return [server["pid"] for server in servers]

    def tree(self):
        """All processes of the cluster."""
        snapshot = watchdog.processes()
        return {
            pid: snapshot[pid].started
            for pid in watchdog.tree({self.process.pid: snapshot[self.process.pid].started}, snapshot)
        }

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(DEADLINE)
        finally:
            for file in (self.process.stdin, self.process.stdout, self.errors):
                file.close()


def left(tree):
    """Which of these processes still run, after a while."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        snapshot = watchdog.processes()
        running = [pid for pid, started in tree.items() if pid in snapshot and snapshot[pid].started == started]
        if not running:
            break
        time.sleep(0.05)
    return running


class ClusterTests(unittest.TestCase):
    def setUp(self):
        # PostgreSQL's own user has to be able to pass through here.
        place = pathlib.Path(tempfile.mkdtemp(prefix="cluster-test-"))
        place.chmod(0o711)
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        self.data = place / "data"
        self.runs = []
        self.addCleanup(lambda: [run.end(signal.SIGKILL) for run in self.runs if run.process.poll() is None])

    def start(self, *arguments):
        run = Run(self.data, *arguments)
        self.runs.append(run)
        return run

    def request(self, run, method, path, headers=None, body=None):
        context = ssl.create_default_context(cafile=run.facts["nginx"]["certificate"])
        connection = http.client.HTTPSConnection("127.0.0.1", run.facts["nginx"]["port"], timeout=10, context=context)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def psql(self, run, server, text):
        return subprocess.run(
            [
                "psql",
                "-XAtq",
                "-h",
                "127.0.0.1",
                "-p",
                str(server["port"]),
                "-U",
                "martlet",
                "-d",
                "martlet",
                "-c",
                text,
            ],
            env={
                **os.environ,
                "PGPASSWORD": json.loads(pathlib.Path(run.facts["secrets"]).read_text())["postgresOwner"],
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def test_a_cluster_from_its_start_to_its_end(self):
        run = self.start("--nodes", "2", "--dialects")
        tree = run.tree()
        self.assertTrue(set(run.pids) <= set(tree))

        with self.subTest("nodes are reached through nginx, which says who asks"):
            status, body = self.request(
                run, "GET", "/api/route", {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=1.2.3.4"}
            )
            head = json.loads(body)["head"]
            self.assertEqual((status, head["x-forwarded-for"]), (200, "127.0.0.1"))
            self.assertNotIn("forwarded", head)

        with self.subTest("what changes something gets through, too"):
            for method in ["POST", "PUT", "DELETE"]:
                status, body = self.request(run, method, "/api/chat", body="{}")
                self.assertEqual((status, json.loads(body)["method"]), (200, method))

        with self.subTest("figures and states of single nodes are not for the world"):
            self.assertEqual([self.request(run, "GET", path)[0] for path in ["/metrics", "/readyz"]], [404, 404])

        with self.subTest("a body beyond the API's limit ends at nginx"):
            self.assertEqual(self.request(run, "POST", "/api/chat/send", body="x" * 70_000)[0], 413)

        with self.subTest("a connection becomes a WebSocket"):
            self.assertEqual(self.request(run, "GET", "/ws", {"Upgrade": "websocket", "Connection": "Upgrade"})[0], 101)

            self.assertEqual(
                self.request(run, "GET", "/acc", {"Upgrade": "websocket", "Connection": "Upgrade"})[0], 101
            )

        with self.subTest("clusterchat reaches the nodes through nginx, which says who connects"):
            ports = run.facts["nginx"]["clusterchat"]
            self.assertEqual(list(ports), ["seed", "course"])
            for port in ports.values():
                with socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.9", 0)) as client:
                    said = client.makefile("rb").readline().decode()
                    expected = f"PROXY TCP4 127.0.0.9 127.0.0.1 {client.getsockname()[1]} {port}\r\n"
                    self.assertEqual(said, expected)

        with self.subTest("a commit is on the standby before it is acknowledged"):
            primary, standby = run.facts["postgres"]
            written = self.psql(run, primary, "CREATE TABLE kept (n INT); INSERT INTO kept VALUES (7)")
            self.assertEqual(written.returncode, 0, written.stderr)
            self.assertEqual(self.psql(run, primary, "SHOW synchronous_commit").stdout.strip(), "on")

        with self.subTest("no secret stands in a command line, and none can be read by others"):
            secrets = json.loads(pathlib.Path(run.facts["secrets"]).read_text()).values()
            self.assertGreater(len(secrets), 5)
            for pid in run.tree():
                # A backend may end between the list and the look at it.
                with contextlib.suppress(OSError):
                    line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                    self.assertFalse([secret for secret in secrets if secret in line])
            for path in [pathlib.Path(folder, name) for folder, _, names in os.walk(self.data) for name in names]:
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_IMODE(path.stat().st_mode) & 0o077:
                        self.assertFalse([secret for secret in secrets if secret.encode() in path.read_bytes()], path)

        with self.subTest("what ends is started again"):
            os.kill(run.facts["nodes"][0]["pid"], signal.SIGKILL)
            self.assertEqual(run.event("ended")["name"], "node-1")
            self.assertEqual(run.event("started")["name"], "node-1")

        tree.update(run.tree())
        self.assertEqual(run.end(signal.SIGINT), 0)
        self.assertEqual(left(tree), [])

        with self.subTest("the next run goes on with the same data, ports and certificate"):
            again = self.start("--nodes", "2", "--dialects")
            self.assertEqual(again.facts["url"], run.facts["url"])
            self.assertEqual(again.facts["nginx"]["clusterchat"], run.facts["nginx"]["clusterchat"])
            self.assertEqual(self.psql(again, again.facts["postgres"][0], "SELECT n FROM kept").stdout.strip(), "7")

        with self.subTest("nothing is left behind a cluster that was killed, also of what was frozen"):
            tree = again.tree()
            os.kill(again.facts["nodes"][0]["pid"], signal.SIGSTOP)
            again.process.kill()
            self.assertEqual(left(tree), [])
            again.end()

    def test_a_promoted_standby_leads_and_goes_on_leading(self):
        run = self.start("--nodes", "1", "--no-nginx", "--no-restart", "--demo")
        self.assertIsNone(run.facts["nginx"])
        primary, standby = run.facts["postgres"]
        self.psql(run, primary, "CREATE TABLE kept (n INT); INSERT INTO kept VALUES (1)")
        os.kill(primary["pid"], signal.SIGKILL)
        self.assertEqual(run.event("ended")["name"], "postgres-1")
        run.tell("promote")
        self.assertEqual(run.event("promoted")["name"], "postgres-2")
        written = self.psql(run, standby, "INSERT INTO kept VALUES (2); SELECT count(*) FROM kept")
        self.assertEqual(written.stdout.strip(), "2", written.stderr)
        self.assertEqual(run.end(), 0)

        again = self.start("--nodes", "1", "--no-nginx")
        roles = {server["name"]: server["role"] for server in again.facts["postgres"]}
        self.assertEqual(roles, {"postgres-1": "standby", "postgres-2": "primary"})
        self.assertEqual(self.psql(again, again.facts["postgres"][0], "SELECT count(*) FROM kept").stdout.strip(), "2")
        self.assertEqual(again.end(), 0)


if __name__ == "__main__":
    unittest.main()
