"""nginx itself reads the shipped configuration, and a connection through the stream begins with the PROXY header."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
SHIPPED = DEPLOY / "nginx"
MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rude:
    """Accepts, reads a request, counts it and hangs up."""

    answer = None

    def __init__(self):
        self.requests = 0
        self.last = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                if request := connection.recv(65_536):
                    self.last = request
                    self.requests += 1
                    if self.answer:
                        connection.sendall(self.answer)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Polite(Rude):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ShippedTests(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.place.chmod(0o711)
        (self.place / "martlet").mkdir()
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                self.place / "martlet/key.pem",
                "-out",
                self.place / "martlet/certificate.pem",
            ],
            check=True,
            capture_output=True,
        )
        self.assertTrue(NGINX and MODULE.exists(), "nginx and libnginx-mod-stream are to be installed")

    def write(self, nodes, body):
        (self.place / "martlet/nodes.conf").write_text(nodes)
        (self.place / "nginx.conf").write_text(
            f"load_module {MODULE};\npid {self.place}/pid;\nerror_log stderr;\ndaemon off;\nworker_processes 1;\n"
            f"events {{ worker_connections 100; }}\n{body}"
        )
        return [NGINX, "-e", "stderr", "-c", str(self.place / "nginx.conf")]

    def placed(self, name, text=None):
        """A shipped file on ports that everybody may take, and with logs where everybody may write."""
        text = (text or (SHIPPED / name).read_text()).replace("/var/log/nginx", str(self.place))
        text = re.sub(
            r"listen (\[::\]|127\.0\.0\.1)?:?(80|443|8000|8443)\b",
            lambda found: f"listen {'[::1]' if found[1] == '[::]' else '127.0.0.1'}:{self.port(int(found[2]))}",
            text,
        )
        (self.place / name).write_text(text)
        return f"include {self.place}/{name};"

    def port(self, shipped):
        self.ports = getattr(self, "ports", {})
        return self.ports.setdefault(shipped, free_port())

    def accept(self, command):
        done = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("[warn]", done.stderr.replace('the "user" directive', ""), done.stderr)

    def folders(self):
        """Places for what nginx puts aside, where everybody may write."""
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        return "".join(f"{kind}_temp_path {self.place}/{kind};" for kind in kinds)

    def site(self):
        return f"http {{ {self.folders()} {self.placed('martlet.conf')} }}"

    def run_nginx(self, nodes, body):
        process = subprocess.Popen(self.write(nodes, body), stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)

    def test_the_site_is_accepted(self):
        self.accept(self.write((SHIPPED / "nodes.conf").read_text(), self.site()))

    def test_the_site_is_accepted_behind_the_main_file_of_the_image(self):
        self.write((SHIPPED / "nodes.conf").read_text(), "")
        self.placed("martlet.conf")
        text = (DEPLOY / "docker/nginx.conf").read_text()
        # What differs between the image and here: a user, folders, and the files beside nginx.conf.
        for shipped, here in [
            ("user nginx;", ""),
            ("/run/nginx.pid", f"{self.place}/pid"),
            ("include mime.types;", "include /etc/nginx/mime.types;"),
            ("include conf.d/*.conf;", f"{self.folders()} include {self.place}/martlet.conf;"),
        ]:
            self.assertEqual(text.count(shipped), 1, shipped)
            text = text.replace(shipped, here)
        (self.place / "nginx.conf").write_text(text)
        self.accept([NGINX, "-e", "stderr", "-c", str(self.place / "nginx.conf")])

    def test_what_changes_something_is_sent_once_and_what_reads_goes_to_another_node(self):
        # Two nodes that hang up once they have read a request.
        nodes = [Rude() for _ in range(2)]
        for node in nodes:
            self.addCleanup(node.close)
        # Never taken out, so that each request meets two nodes that seem to work.
        self.run_nginx("".join(f"server 127.0.0.1:{node.port} max_fails=0;\n" for node in nodes), self.site())
        self.connect().close()
        sending = "/user/sendMessageAll?appId=101"
        for method, path, expected in [
            *[("GET", None, 2), ("POST", None, 1), ("PATCH", None, 1), ("PUT", None, 1), ("DELETE", None, 1)],
            *[("GET", "/user/list", 2), ("GET", sending, 1), ("POST", sending, 1)],
        ]:
            with self.subTest(method, path=path):
                before = sum(node.requests for node in nodes)
                self.assertEqual(self.request(method, path), 502)
                self.assertEqual(sum(node.requests for node in nodes) - before, expected)

    def test_a_node_that_is_away_costs_no_request(self):
        node = Polite()
        self.addCleanup(node.close)
        limits = " max_fails=2 fail_timeout=5s;\n"
        self.run_nginx(f"server 127.0.0.1:{free_port()}{limits}server 127.0.0.1:{node.port}{limits}", self.site())
        self.connect().close()
        # A PUT and a DELETE take no second try: they get through once the node that is away has been found out.
        self.assertEqual(
            [self.request(method) for method in ["GET", "POST", "GET", "POST", "GET", "PUT", "DELETE"]], [200] * 7
        )

    def test_sessions_of_both_kinds_and_nothing_else_are_upgraded(self):
        node = Polite()
        self.addCleanup(node.close)
        self.run_nginx(f"server 127.0.0.1:{node.port};\n", self.site())
        self.connect().close()
        for path, asked in [("/ws", True), ("/acc", True), ("/acc/", False), ("/user/list", False), ("/", False)]:
            with self.subTest(path):
                self.request("GET", path, {"Upgrade": "websocket", "Connection": "Upgrade"})
                self.assertEqual(b"\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" in node.last, asked, node.last)

    def request(self, method, path=None, head=None):
        context = ssl.create_default_context(cafile=self.place / "martlet/certificate.pem")
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", self.port(443), timeout=10, context=context)
        try:
            connection.request(method, path or "/api/chat/send", None if method == "GET" else "{}", head or {})
            return connection.getresponse().status
        finally:
            connection.close()

    def test_the_stream_is_accepted(self):
        self.accept(self.write((SHIPPED / "nodes.conf").read_text(), self.placed("martlet-stream.conf")))

    def test_the_stream_tells_who_connects(self):
        with socket.create_server(("127.0.0.1", 0)) as node:
            node.settimeout(10)
            # The first of the nodes is not there: a connection that has carried nothing goes to the next.
            limits = " max_fails=2 fail_timeout=5s;\n"
            nodes = f"server 127.0.0.1:{free_port()}{limits}server 127.0.0.1:{node.getsockname()[1]}{limits}"
            self.run_nginx(nodes, self.placed("martlet-stream.conf"))
            self.arrive(self.connect(), node, 443)

    def arrive(self, client, node, port):
        """Says a word to the node, which is told first who says it."""
        address = client.getsockname()
        client.sendall(b"hello")
        connection, _ = node.accept()
        connection.settimeout(10)
        received = b""
        while not received.endswith(b"hello"):
            received += connection.recv(1000)
        expected = f"PROXY TCP4 {address[0]} 127.0.0.1 {address[1]} {self.port(port)}\r\nhello"
        self.assertEqual(received.decode(), expected)
        client.close()
        connection.close()

    def clusterchat(self, changes=()):
        """The shipped part of a stream for clusterchat, placed, with what an operator may change in it."""
        text = (SHIPPED / "martlet-clusterchat.conf").read_text()
        for pattern, replacement in changes:
            self.assertRegex(text, pattern)
            text = re.sub(pattern, replacement, text)
        return self.placed("martlet-clusterchat.conf", text)

    def test_clusterchat_is_accepted_alone_and_beside_the_stream(self):
        nodes = (SHIPPED / "nodes.conf").read_text()
        shutil.copy(SHIPPED / "clusterchat-nodes.conf", self.place / "martlet")
        part = self.clusterchat()
        with self.subTest("alone"):
            self.accept(self.write(nodes, f"stream {{ {part} }}"))
        with self.subTest("beside the site"):
            self.accept(self.write(nodes, f"{self.site()} stream {{ {part} }}"))
        with self.subTest("in the stream"):
            shipped = (SHIPPED / "martlet-stream.conf").read_text()
            line = "    #include martlet/martlet-clusterchat.conf;\n"
            self.assertEqual(shipped.count(line), 1)
            self.accept(self.write(nodes, self.placed("martlet-stream.conf", shipped.replace(line, part))))
        with self.subTest("as the image has it"):
            self.assertIn(
                "#stream { include martlet/martlet-clusterchat.conf; }", (DEPLOY / "docker/nginx.conf").read_text()
            )

    def test_clusterchat_tells_who_connects(self):
        with socket.create_server(("127.0.0.1", 0)) as node:
            node.settimeout(10)
            # The first of the nodes is not there: a connection that has carried nothing goes to the next.
            limits = " max_fails=2 fail_timeout=5s;\n"
            (self.place / "martlet/clusterchat-nodes.conf").write_text(
                f"server 127.0.0.1:{free_port()}{limits}server 127.0.0.1:{node.getsockname()[1]}{limits}"
            )
            tls = self.clusterchat([(r"(?m)^    #(listen 8443|ssl_)", r"    \1")])
            self.run_nginx("", f"stream {{ {tls} }}")
            for port, is_plain, source in [(8000, True, "127.0.0.7"), (8443, False, "127.0.0.8")]:
                with self.subTest(port):
                    self.arrive(self.connect(port, is_plain, source), node, port)

    def test_clusterchat_is_for_this_machine_until_somebody_says_otherwise(self):
        text = (SHIPPED / "martlet-clusterchat.conf").read_text()
        listens = re.findall(r"^\s*listen (\S+)", text, re.MULTILINE)
        self.assertEqual([address.split(":")[0] for address in listens], ["127.0.0.1"])

    def connect(self, port=443, is_plain=False, source=None):
        context = ssl.create_default_context(cafile=self.place / "martlet/certificate.pem")
        deadline = time.monotonic() + 10
        while True:
            try:
                plain = socket.create_connection(
                    ("127.0.0.1", self.port(port)), timeout=10, source_address=source and (source, 0)
                )
                return plain if is_plain else context.wrap_socket(plain, server_hostname="localhost")
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
