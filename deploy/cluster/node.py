"""A node: `martlet serve` with a configuration file of its own. Files, not flags, hold all that is secret."""

import http.client
import json
import os
import signal

from files import write_private
from processes import Service, Trouble

SECRETS = ["tokenKey", "metricsToken", "samplePassword"]
SAMPLE_USERS = ["alice", "bob", "carol"]
#: Of clusterchat, as `clusterchat.numbering` names them: each has a port.
NUMBERINGS = ["seed", "course"]
DRAIN = 5


class Node(Service):
    # It tells its sessions to go elsewhere first, and they have time for that.
    ways_to_stop = [(signal.SIGTERM, DRAIN + 15)]

    def __init__(self, number, keeper, folder, port, program, clusterchat=None):
        """`clusterchat`: the port of each numbering, where it is spoken."""
        name = f"node-{number}"
        super().__init__(name, keeper, folder.log(name))
        self.port = port
        self.clusterchat = clusterchat or {}
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

    def make_users(self, names, password):
        """Makes users where there are none of these names. `--demo` of a node alone is not for nodes on a bus."""
        for name in names:
            command = [str(self.program), "user", "create", name, "--password-stdin", "--config", str(self.file)]
            try:
                self.keeper.run(command, None, self.environment(), text=password + "\n")
            except Trouble as trouble:
                if "taken" not in str(trouble):
                    raise


def settings(node, database, bus, public_url, secrets, is_demo=False, extra=None, *, is_behind_stream=False):
    """The keys of one node, dotted. `is_behind_stream`: connections of clusterchat begin with the PROXY header."""
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
    if node.clusterchat:
        keys["gowebsocket.enabled"] = True
        # Whoever is on this machine may try its calls.
        keys["gowebsocket.open"] = is_demo
        keys["clusterchat.port"] = list(node.clusterchat.values())
        keys["clusterchat.numbering"] = list(node.clusterchat)
        keys["clusterchat.proxy-protocol"] = is_behind_stream
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
