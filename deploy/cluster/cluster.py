#!/usr/bin/env python3
"""A whole cluster on this machine: PostgreSQL with a synchronous standby, Redis, nodes, and nginx in front.

`make cluster` runs it. It shows how the parts are put together, and programs that try failures can drive it.
Everything listens on loopback, and all that is kept lies in one folder. What ends unasked is started again. SIGINT or
SIGTERM stops all in order, a second one at once; if this program is killed, watchdog.py kills what it has started.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import select
import sys
import time

import node
import postgres
import redis
from files import Folder
from nginx import Front
from node import Node
from processes import Keeper, Stopped, Trouble, Wishes

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
RESTART_AFTER = 1.0


def parse(arguments):
    parser = argparse.ArgumentParser(prog="cluster.py", description="Run a whole cluster on this machine.")
    parser.add_argument("--data", default="cluster-data", metavar="DIR", help="what is kept (default: ./cluster-data)")
    parser.add_argument(
        "--martlet", default=str(TREE / ".build/release/martlet"), metavar="PATH", help="the program of the nodes"
    )
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="1 to 16 nodes (default: 3)")
    parser.add_argument(
        "--redis", type=int, default=1, metavar="N", help="1 to 8 Redis servers, among which topics are spread"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="the port for clients, HTTPS (default: a free one, then always that)"
    )
    parser.add_argument("--no-standby", action="store_true", help="PostgreSQL without a standby")
    parser.add_argument("--no-nginx", action="store_true", help="nothing in front of the nodes")
    parser.add_argument("--demo", action="store_true", help="sample users, guests and dialects, to try things out")
    parser.add_argument("--dialects", action="store_true", help="for older clients: gowebsocket and clusterchat")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one more setting of all nodes")
    parser.add_argument("--no-restart", action="store_true", help="leave what has ended as it is")
    parser.add_argument(
        "--json", action="store_true", help="tell what happens in lines of JSON, and take commands: see README.md"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.nodes <= 16 or not 1 <= options.redis <= 8:
        parser.error("--nodes takes 1 to 16, --redis 1 to 8")
    try:
        options.extra = dict(node.extra_setting(text) for text in options.set)
    except ValueError as error:
        parser.error(f"--set: {error}")
    return options


class Cluster:
    def __init__(self, options, wishes):
        self.options = options
        self.wishes = wishes
        self.program = pathlib.Path(options.martlet).resolve()
        if not os.access(self.program, os.X_OK):
            raise Trouble(f"{self.program} is not there: run make build first")
        self.folder = Folder(options.data)
        self.keeper = Keeper(self.folder.lock)
        self.secrets = self.folder.secrets(postgres.SECRETS + [redis.SECRET] + node.SECRETS)
        node_names = [f"node-{number}" for number in range(1, options.nodes + 1)]
        redis_names = [f"redis-{number}" for number in range(1, options.redis + 1)]
        numberings = node.NUMBERINGS if options.demo or options.dialects else []
        ports = self.folder.ports(
            [
                *["https", "http", "postgres-1", "postgres-2", *redis_names, *node_names],
                *[f"{name}-{numbering}" for name in ["nginx", *node_names] for numbering in numberings],
            ],
            {"https": options.port},
        )

        def clusterchat(name):
            return {numbering: ports[f"{name}-{numbering}"] for numbering in numberings}

        self.postgres = postgres.PostgresPair(self.keeper, self.folder, ports, self.secrets, not options.no_standby)
        self.redis = [
            redis.RedisServer(number, self.keeper, self.folder, ports[name], self.secrets)
            for number, name in enumerate(redis_names, 1)
        ]
        self.nodes = [
            Node(number, self.keeper, self.folder, ports[name], self.program, clusterchat(name))
            for number, name in enumerate(node_names, 1)
        ]
        self.front = None if options.no_nginx else Front(self.keeper, self.folder, ports, clusterchat("nginx"))

    @property
    def services(self):
        """All, as they are started. They are stopped in another order: see `stop`."""
        return [*self.postgres.servers, *self.redis, *self.nodes, *([self.front] if self.front else [])]

    @property
    def url(self):
        return (self.front or self.nodes[0]).url

    @property
    def sample_password(self):
        """Of this cluster alone, and the same in each run."""
        return self.secrets["samplePassword"][:12]

    # Starting and stopping

    def start(self):
        self.postgres.start(self.wishes)
        for server in self.redis:
            server.start()
            server.wait_for(lambda server=server: server.answers, 10, self.wishes, "answer")
        self._start_nodes()
        if self.front:
            self.front.configure(self.nodes)
            self.front.start()
            self.front.wait_for(lambda: self.front.answers, 10, self.wishes, "answer")

    def _start_nodes(self):
        for one in self.nodes:
            one.configure(
                node.settings(
                    one,
                    self.postgres.url(self.secrets),
                    [server.url for server in self.redis],
                    self.url,
                    self.secrets,
                    self.options.demo,
                    self.options.extra,
                    is_behind_stream=self.front is not None,
                )
            )
            one.start()
        for one in self.nodes:
            one.wait_for(lambda one=one: one.is_ready, 60, self.wishes)
        if self.options.demo:
            self.nodes[0].make_users(node.SAMPLE_USERS, self.sample_password)

    def stop(self):
        """Nodes first, which tell their sessions so while nginx still carries them; the database last, primary before
        standby, so that the standby gets all of it."""
        services = [*self.nodes, *([self.front] if self.front else []), *self.redis, *self.postgres.servers]
        # All nodes drain at the same time.
        for service in services:
            service.is_wanted = False
        for one in self.nodes:
            one.ask_to_stop()
        for service in services:
            service.stop(self.wishes)
        self.keeper.close()

    # Watching

    def watch(self, report, commands):
        """Until somebody wants an end: starts what has ended, and does what commands say."""
        due = {}
        while not self.wishes.count:
            for service in self.services:
                if not service.is_wanted or service.is_running:
                    due.pop(service.name, None)
                elif service.name not in due:
                    report.event("ended", service, ending=service.ending)
                    due[service.name] = time.monotonic() + RESTART_AFTER
                elif due[service.name] < time.monotonic() and not self.options.no_restart:
                    self._restart(service, report)
                    due.pop(service.name, None)
            for command in commands.waiting(0.1):
                self._obey(command, report)

    def _restart(self, service, report):
        with contextlib.suppress(Trouble):
            service.start()
            report.event("started", service, pid=service.pid)

    def _obey(self, command, report):
        """`start NAME`, `stop NAME`, `promote`."""
        words = command.split()
        services = {service.name: service for service in self.services}
        try:
            match words:
                case ["promote"] if self.options.no_standby:
                    raise Trouble("there is no standby")
                case ["promote"]:
                    # Whoever led must not come back as if nothing had happened.
                    self.postgres.primary.is_wanted = False
                    self.postgres.promote()
                    report.event("promoted", self.postgres.primary)
                case ["start", name] if name in services:
                    if not services[name].is_running:
                        services[name].start()
                    report.event("started", services[name], pid=services[name].pid)
                case ["stop", name] if name in services:
                    services[name].stop(self.wishes)
                    report.event("stopped", services[name])
                case _:
                    raise Trouble(f"not understood: {command[:100]}")
        except Trouble as trouble:
            report.trouble(str(trouble))

    # Telling

    def description(self):
        """All that a program needs to know which drives this cluster."""

        def of(service, **more):
            return {"name": service.name, "pid": service.pid, "log": str(service.log), **more}

        return {
            "event": "ready",
            "pid": os.getpid(),
            "url": self.url,
            "data": str(self.folder.path),
            "secrets": str(self.folder.path / "secrets.json"),
            "nodes": [
                of(
                    one,
                    host="127.0.0.1",
                    port=one.port,
                    url=one.url,
                    clusterchat=one.clusterchat,
                    data=str(one.data),
                    config=str(one.file),
                )
                for one in self.nodes
            ],
            "redis": [of(one, port=one.port, data=str(one.data)) for one in self.redis],
            "postgres": [
                of(
                    one,
                    role="primary" if one is self.postgres.primary else "standby",
                    port=one.port,
                    data=str(one.data),
                )
                for one in self.postgres.servers
            ],
            "nginx": (
                of(
                    self.front,
                    port=self.front.port,
                    httpPort=self.front.plain_port,
                    clusterchat=self.front.clusterchat,
                    certificate=str(self.front.certificate),
                )
                if self.front
                else None
            ),
        }


class Report:
    """Says what happens: to people on standard error, to programs in lines of JSON on standard output."""

    def __init__(self, is_json):
        self.is_json = is_json

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def event(self, name, service, **facts):
        self.say(f"{service.name} {facts.get('ending', name)}")
        self._line({"event": name, "name": service.name, **facts})

    def trouble(self, text):
        self.say(text)
        self._line({"event": "trouble", "message": text})

    def ready(self, cluster):
        self._line(cluster.description())
        first = cluster.nodes[0]
        self.say(f"\n  {cluster.url}" + ("   (its certificate is self-signed)" if cluster.front else "") + "\n")
        if cluster.options.demo:
            self.say(
                f"  Sign in as {', '.join(node.SAMPLE_USERS)} with the password {cluster.sample_password}, "
                "or come in as a guest.\n"
            )
        for numbering, port in (cluster.front or first).clusterchat.items():
            self.say(f"  clusterchat:  127.0.0.1:{port}, numbering {numbering}")
        if first.clusterchat:
            self.say(f"  gowebsocket:  {cluster.url}/home/index")
        self.say(f"  Make a user:  {cluster.program} user create NAME --config {first.file}")
        for one in cluster.nodes:
            self.say(f"  {one.name}:       {one.url}, process {one.pid}")
        self.say(f"  Logs:         {cluster.folder.logs}")
        self.say("  Try it:       kill -9 a node and watch the page reconnect.")
        self.say("  Ctrl-C stops everything.\n")

    def _line(self, facts):
        if self.is_json:
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(facts), flush=True)


class Commands:
    """Lines of standard input, where a program drives the cluster."""

    def __init__(self, is_open):
        self.is_open = is_open
        self._rest = b""

    def waiting(self, seconds):
        """What has come in, after `seconds` at most."""
        if not self.is_open:
            time.sleep(seconds)
            return []
        if not select.select([sys.stdin], [], [], seconds)[0]:
            return []
        data = os.read(sys.stdin.fileno(), 65_536)
        self.is_open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


def allow_many_files():
    """Nodes and nginx hold a file for each connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments):
    options = parse(arguments)
    wishes = Wishes()
    wishes.listen()
    allow_many_files()
    report = Report(options.json)
    cluster = None
    try:
        cluster = Cluster(options, wishes)
        report.say("starting …")
        cluster.start()
        report.ready(cluster)
        cluster.watch(report, Commands(options.json))
    except Stopped:
        pass
    except Trouble as trouble:
        report.trouble(str(trouble))
        return 1
    finally:
        if cluster:
            report.say("stopping …")
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
