"""The image's health check tells an answer of 200 from every other."""

import os
import pathlib
import socket
import subprocess
import threading
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "docker" / "healthcheck.sh"


class HealthCheckTests(unittest.TestCase):
    def check(self, answer, *arguments):
        """Returns the exit status, and the first line of what was asked."""
        asked = []
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve():
                connection, _ = server.accept()
                with connection:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        head += connection.recv(1000)
                    asked.append(head.split(b"\r\n")[0])
                    connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            status = subprocess.run(
                [SCRIPT, *arguments],
                env={**os.environ, "MARTLET_PORT": str(server.getsockname()[1])},
                timeout=10,
                check=False,
                stderr=subprocess.DEVNULL,
            ).returncode
            thread.join()
        return status, asked[0]

    def test_a_node_that_lives(self):
        self.assertEqual(self.check(b"HTTP/1.1 200 OK\r\n\r\n"), (0, b"GET /healthz HTTP/1.1"))

    def test_another_question(self):
        self.assertEqual(
            self.check(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "/readyz"), (1, b"GET /readyz HTTP/1.1")
        )

    def test_nobody_listens(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        done = subprocess.run(
            [SCRIPT], env={**os.environ, "MARTLET_PORT": str(port)}, timeout=10, check=False, stderr=subprocess.DEVNULL
        )
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
