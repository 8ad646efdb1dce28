#!/usr/bin/env python3
"""Stands in for `martlet` in the tests of this folder: reads the same file, and answers how it was asked."""

import http.server
import json
import signal
import socketserver
import sys
import threading


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    settings = {}

    def do_GET(self):
        """Answers with the request's own head."""
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.send_header("Connection", "upgrade")
            self.end_headers()
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        head = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"node": self.settings["node"], "head": head, "method": self.command}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Echo(socketserver.StreamRequestHandler):
    """Sends the first line back: whom the connection comes from, where nginx says so."""

    def handle(self):
        self.wfile.write(self.rfile.readline())


def main():
    if sys.argv[1:3] == ["user", "create"]:
        sys.exit(f"the username {sys.argv[3]} is taken")
    if sys.argv[1:3] != ["serve", "--config"]:
        sys.exit(64)
    with open(sys.argv[3], encoding="utf-8") as file:
        pairs = (line.split(": ", 1) for line in file)
        Answers.settings = {key: json.loads(value) for key, value in pairs}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for port in Answers.settings.get("clusterchat.port", []):
        server = socketserver.ThreadingTCPServer((Answers.settings["host"], port), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer((Answers.settings["host"], Answers.settings["port"]), Answers).serve_forever()


if __name__ == "__main__":
    main()
