"""Clients of the older dialects on plain sockets, as programs use them that know no other."""

import base64
import itertools
import json
import os
import socket
import struct
import time
import urllib.parse
import urllib.request

# Seconds to wait for what must happen: long, since they only end a scenario that has failed.
PATIENCE = 30
PASSWORD = "correct horse 8"
TIME = "2024-01-01 00:00:00"


class Console:
    """A clusterchat client in one of the two numberings; it takes apart what comes at its zero bytes."""

    NUMBERS = {
        "seed": dict(register=3, chat=5, join=8, group=9, logout=10, to="to"),
        "course": dict(register=4, chat=6, join=9, group=10, logout=3, to="toid"),
    }

    def __init__(self, port: int, family: str, name: str):
        self.numbers, self.name = self.NUMBERS[family], name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.rest = b""
        self.lines: list[dict] = []
        self.id = self.ask(msgid=self.numbers["register"], name=name, password=PASSWORD)["id"]

    def send(self, **fields) -> None:
        self.socket.sendall(json.dumps(fields, ensure_ascii=False).encode() + b"\0")

    def ask(self, **fields) -> dict:
        """What is answered: registrations and logins."""
        self.send(**fields)
        while True:
            message = self.read()
            if "errno" in message:
                assert message["errno"] == 0, f"{self.name}: {message}"
                return message

    def sign_in(self) -> dict:
        return self.ask(msgid=1, id=self.id, password=PASSWORD)

    def sign_out(self) -> None:
        self.send(msgid=self.numbers["logout"], id=self.id)

    def join(self, group: int) -> None:
        self.send(msgid=self.numbers["join"], id=self.id, groupid=group)

    def say(self, text: str, to: int) -> None:
        self.send(msgid=self.numbers["chat"], id=self.id, name=self.name, msg=text, time=TIME, **{self.numbers["to"]: to})

    def say_in(self, group: int, text: str) -> None:
        self.send(msgid=self.numbers["group"], id=self.id, name=self.name, msg=text, time=TIME, groupid=group)

    def read(self) -> dict:
        while b"\0" not in self.rest:
            bytes = self.socket.recv(4096)
            assert bytes, f"{self.name}: the server ended the connection"
            self.rest += bytes
        message, _, self.rest = self.rest.partition(b"\0")
        assert len(message) < 1023, f"{self.name}: {len(message)} bytes"
        value = json.loads(message)
        if value["msgid"] in (self.numbers["chat"], self.numbers["group"]):
            self.lines.append(value)
        return value

    def hear(self, text: str) -> dict:
        """Reads up to the message with this text; all that came is in `lines`."""
        while True:
            for line in self.lines:
                if line["msg"] == text:
                    return line
            self.read()

    def texts(self) -> list[str]:
        return [line["msg"] for line in self.lines]


class RoomSocket:
    """A gowebsocket client that signs in with somebody's token."""

    def __init__(self, url: str, name: str, token: str, app: int = 101):
        self.url, self.name, self.token, self.app = url, name, token, app
        self.pushes: list[dict] = []
        self.rest = b""
        self.seqs = itertools.count(1)
        address = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET /acc HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            self.receive()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head.decode()
        answer = self.ask("login", {"userId": name, "appId": app, "serviceToken": token})
        assert answer["code"] == 200, f"{name}: {answer}"

    def receive(self) -> None:
        bytes = self.socket.recv(65536)
        assert bytes, f"{self.name}: the server ended the connection"
        self.rest += bytes

    def frame(self) -> tuple[int, bytes]:
        """The next frame; the server masks nothing and splits nothing."""
        def take(count: int) -> bytes:
            while len(self.rest) < count:
                self.receive()
            bytes, self.rest = self.rest[:count], self.rest[count:]
            return bytes

        first, size = take(2)
        if size == 126:
            size, = struct.unpack(">H", take(2))
        elif size == 127:
            size, = struct.unpack(">Q", take(8))
        return first & 15, take(size)

    def write(self, opcode: int, payload: bytes) -> None:
        size = struct.pack(">B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack(">BH", 0x80 | 126, len(payload))
        # A mask of zero bytes leaves the payload as it is.
        self.socket.sendall(bytes([0x80 | opcode]) + size + bytes(4) + payload)

    def read(self) -> dict:
        while True:
            opcode, payload = self.frame()
            if opcode == 9:
                self.write(10, payload)
            elif opcode == 1:
                message = json.loads(payload)
                if message["cmd"] == "msg":
                    self.pushes.append(message)
                return message

    def ask(self, cmd: str, data: dict) -> dict:
        seq = f"q{next(self.seqs)}"
        self.write(1, json.dumps({"seq": seq, "cmd": cmd, "data": data}).encode())
        while True:
            message = self.read()
            if message["seq"] == seq and message["cmd"] == cmd:
                return message["response"]

    def say(self, text: str, target: str) -> None:
        form = urllib.parse.urlencode({
            "appId": self.app, "userId": self.name, "msgId": f"{self.name}-{time.time_ns()}", "message": text, "target": target})
        request = urllib.request.Request(
            f"{self.url}/user/sendMessageAll", form.encode(), headers={"authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            result = json.load(answer)
        assert result["data"].get("sendResults") is True, f"{self.name}: {result}"

    def hear(self, text: str) -> dict:
        while True:
            for push in self.pushes:
                if push["response"]["data"]["msg"] == text:
                    return push["response"]["data"]
            self.read()

    def texts(self) -> list[str]:
        return [push["response"]["data"]["msg"] for push in self.pushes]
