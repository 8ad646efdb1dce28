"""Who ends a node waits beyond its notice and its drain, and proxies wait beyond the heartbeat."""

import pathlib
import re
import sys
import unittest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
GATEWAY = DEPLOY.parent / "Sources/Edges/MartletGateway/GatewayConfiguration.swift"
GOWEBSOCKET = DEPLOY.parent / "Sources/Core/MartletWire/GoWebSocket/GoWebSocketDialect.swift"
sys.path.insert(0, str(DEPLOY / "cluster"))

import node  # noqa: E402

#: What is accepted is stored, and the process ends, in far less.
SPARE = 30


def standard(name):
    """Seconds of a setting as shipped."""
    return int(re.search(rf"var {name} = Duration\.seconds\((\d+)\)", GATEWAY.read_text()).group(1))


def number(path, pattern):
    return standing(DEPLOY / path, pattern)


def standing(path, pattern):
    """The number that stands in a file, once."""
    found = re.findall(pattern, path.read_text())
    assert len(found) == 1, f"{pattern} stands in {path} {len(found)} times"
    return int(found[0])


class StopTests(unittest.TestCase):
    def test_systemd(self):
        drain = number("systemd/martlet@.service", r"MARTLET_GATEWAY_DRAIN=(\d+)")
        self.assertGreaterEqual(number("systemd/martlet@.service", r"TimeoutStopSec=(\d+)"), drain + SPARE)

    def test_systemd_with_one_server(self):
        wait = number("systemd/martlet.service", r"TimeoutStopSec=(\d+)")
        self.assertGreaterEqual(wait, standard("drain") + SPARE)

    def test_compose(self):
        text = (DEPLOY / "docker/compose.yaml").read_text()
        grace = int(re.search(r"# Beyond the drain\.\n  stop_grace_period: (\d+)s", text).group(1))
        self.assertGreaterEqual(grace, number("docker/compose.yaml", r'MARTLET_GATEWAY_DRAIN: "(\d+)"') + SPARE)

    def test_kubernetes(self):
        path = "kubernetes/deployment.yaml"
        notice = number(path, r'MARTLET_GATEWAY_DRAIN_NOTICE\n\s+value: "(\d+)"')
        drain = number(path, r'MARTLET_GATEWAY_DRAIN\n\s+value: "(\d+)"')
        self.assertGreaterEqual(number(path, r"terminationGracePeriodSeconds: (\d+)"), notice + drain + SPARE)

    def test_the_cluster_on_one_machine(self):
        self.assertGreater(node.Node.ways_to_stop[0][1], node.DRAIN)


class HeartbeatTests(unittest.TestCase):
    silence = 3 * standard("heartbeat")

    def test_proxies_outlast_a_silent_session(self):
        self.assertGreater(self.wait("/ws"), self.silence)
        self.assertGreater(number("nginx/martlet-stream.conf", r"proxy_timeout (\d+)s;"), self.silence)
        self.assertGreater(number("kubernetes/service.yaml", r'proxy-read-timeout: "(\d+)"'), self.silence)

    def test_proxies_outlast_silent_sessions_of_older_clients(self):
        silence = standing(GOWEBSOCKET, r"manners\.silence = \.atMost\(\.seconds\((\d+)\)\)")
        self.assertGreater(self.wait("/acc"), silence)
        self.assertGreater(number("nginx/martlet-stream.conf", r"proxy_timeout (\d+)s;"), silence)
        self.assertGreater(number("kubernetes/service.yaml", r"with gowebsocket take (\d+),"), silence)
        # Those of clusterchat may be silent without an end; their nodes ask the system whether they are there.
        hours = number("nginx/martlet-clusterchat.conf", r"proxy_timeout (\d+)h;")
        self.assertGreaterEqual(hours, 24)
        number("nginx/martlet-clusterchat.conf", r"\n    listen 127\.0\.0\.1:8000 so_keepalive=(\d+)s:15s:4;")

    def wait(self, path):
        """Seconds that martlet.conf waits for a session at this path."""
        return number("nginx/martlet.conf", rf"location = {path} {{\n(?:\s+#.*\n)*\s+proxy_read_timeout (\d+)s;")


if __name__ == "__main__":
    unittest.main()
