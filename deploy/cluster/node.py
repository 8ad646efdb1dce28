"""A node: `martlet serve` with a configuration file of its own. Files, not flags, hold all that is secret."""

import http.client
import json
import os
import signal

from files import write_private
from processes import Service

SECRETS = ["tokenKey", "metricsToken"]
DRAIN = 5


class Node(Service):
    # It tells its sessions to go elsewhere first, and they have time for that.
    ways_to_stop = [(signal.SIGTERM, DRAIN + 15)]

    def __init__(self, number, keeper, folder, port, program):
        name = f"node-{number}"
        super().__init__(name, keeper, folder.log(name))
        self.number = number
        self.port = port
        self.program = program
        self.data = folder.make(name)
        self.file = self.data / "martlet.yaml"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def command(self):
        return [str(self.program), "serve", "--config", str(self.file)]

    def configure(self, settings):
        write_private(self.file, yaml(settings))

    def environment(self):
        # What the person at the keyboard has set for other servers does not count here.
        return {key: value for key, value in os.environ.items() if not key.startswith("MARTLET_")}

    @property
    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def demo_line(self):
        """What a node says of its sample users."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in lines if line.startswith("Demo: ")), None)


def settings(node, database, bus, public_url, secrets, is_demo=False, extra=None):
    """The keys of one node, dotted."""
    keys = {
        "host": "127.0.0.1",
        "port": node.port,
        "data": str(node.data),
        "node": node.name,
        "database": database,
        "bus": bus,
        "public-url": public_url,
        "gateway.drain": DRAIN,
        "api.trusted-proxies": ["127.0.0.1"],
        "secrets.token-key": secrets["tokenKey"],
        "secrets.metrics-token": secrets["metricsToken"],
    }
    if is_demo:
        keys["accounts.guests"] = True
        # The sample users get new passwords where they are made, so one node makes them for all.
        keys["demo"] = node.number == 1
    keys.update(extra or {})
    return keys


def yaml(keys):
    """A YAML file. JSON's values are YAML's."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted(keys.items()))


def extra_setting(text):
    """`KEY=VALUE` of a command line: a number, true, false, or text."""
    key, is_given, value = text.partition("=")
    if not key or not is_given:
        raise ValueError(f"KEY=VALUE is expected, not {text}")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value
