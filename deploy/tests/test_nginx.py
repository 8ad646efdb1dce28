"""nginx itself reads the shipped configuration, and a connection through the stream begins with the PROXY header."""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

SHIPPED = pathlib.Path(__file__).resolve().parent.parent / "nginx"
MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ShippedTests(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.place.chmod(0o711)
        (self.place / "martlet").mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", self.place / "martlet/key.pem", "-out", self.place / "martlet/certificate.pem"],
            check=True, capture_output=True)
        self.assertTrue(NGINX and MODULE.exists(), "nginx and libnginx-mod-stream are to be installed")

    def write(self, nodes, body):
        (self.place / "martlet/nodes.conf").write_text(nodes)
        (self.place / "nginx.conf").write_text(
            f"load_module {MODULE};\npid {self.place}/pid;\nerror_log stderr;\ndaemon off;\nworker_processes 1;\n"
            f"events {{ worker_connections 100; }}\n{body}")
        return [NGINX, "-e", "stderr", "-c", str(self.place / "nginx.conf")]

    def placed(self, name):
        """A shipped file on ports that everybody may take, and with logs where everybody may write."""
        text = (SHIPPED / name).read_text().replace("/var/log/nginx", str(self.place))
        for port in (80, 443):
            text = text.replace(f"listen [::]:{port}", f"listen [::1]:{self.port(port)}").replace(
                f"listen {port}", f"listen 127.0.0.1:{self.port(port)}")
        (self.place / name).write_text(text)
        return f"include {self.place}/{name};"

    def port(self, shipped):
        self.ports = getattr(self, "ports", {})
        return self.ports.setdefault(shipped, free_port())

    def accept(self, command):
        done = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("[warn]", done.stderr.replace('the "user" directive', ""), done.stderr)

    def test_the_site_is_accepted(self):
        folders = "".join(
            f"{kind}_temp_path {self.place}/{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        self.accept(self.write((SHIPPED / "nodes.conf").read_text(), f"http {{ {folders} {self.placed('martlet.conf')} }}"))

    def test_the_stream_is_accepted(self):
        self.accept(self.write((SHIPPED / "nodes.conf").read_text(), self.placed("martlet-stream.conf")))

    def test_the_stream_tells_who_connects(self):
        with socket.create_server(("127.0.0.1", 0)) as node:
            node.settimeout(10)
            # The first of the nodes is not there: a connection that has carried nothing goes to the next.
            limits = " max_fails=2 fail_timeout=5s;\n"
            nodes = f"server 127.0.0.1:{free_port()}{limits}server 127.0.0.1:{node.getsockname()[1]}{limits}"
            process = subprocess.Popen(self.write(nodes, self.placed("martlet-stream.conf")))
            try:
                client = self.connect()
                address = client.getsockname()
                client.sendall(b"hello")
                connection, _ = node.accept()
                connection.settimeout(10)
                received = b""
                while not received.endswith(b"hello"):
                    received += connection.recv(1000)
                expected = f"PROXY TCP4 127.0.0.1 127.0.0.1 {address[1]} {self.port(443)}\r\nhello"
                self.assertEqual(received.decode(), expected)
                client.close()
                connection.close()
            finally:
                process.terminate()
                process.wait(10)

    def connect(self):
        context = ssl.create_default_context(cafile=self.place / "martlet/certificate.pem")
        deadline = time.monotonic() + 10
        while True:
            try:
                plain = socket.create_connection(("127.0.0.1", self.port(443)), timeout=10)
                return context.wrap_socket(plain, server_hostname="localhost")
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
