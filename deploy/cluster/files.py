"""The cluster's folder: what is kept between runs, who may read it, and which ports are used."""

import fcntl
import json
import os
import pathlib
import random
import secrets
import socket

from processes import Trouble


def write_private(path, text, account=None):
    """Writes a file that only its owner may read; it is whole or not there."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(draft, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
        file.write(text)
    if account:
        account.own(draft)
    draft.replace(path)


class Folder:
    """The data folder. Others may pass through it, for PostgreSQL and nginx run as other users than root; nobody may
    list it."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711)
            self.logs = self.make("logs")
            self.lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"another cluster uses {self.path}, or is being ended") from None
        except OSError as error:
            raise Trouble(f"{self.path} can't be used: {error.strerror}") from None

    def make(self, name, mode=0o700, account=None):
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        if account:
            account.own(folder)
        return folder

    def log(self, name):
        """The path of a process' log. That of the run before is kept beside it."""
        path = self.logs / f"{name}.log"
        if path.exists():
            path.replace(path.with_suffix(".log.1"))
        return path

    def secrets(self, names):
        """Random secrets, made once and kept, by name."""
        path = self.path / "secrets.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        missing = [name for name in names if name not in known]
        if missing:
            known.update((name, secrets.token_hex(32)) for name in missing)
            write_private(path, json.dumps(known, indent=1) + "\n")
        return {name: known[name] for name in names}

    def ports(self, names, wanted=None):
        """Free ports of loopback by name. Those of the last run are taken again where nobody else has them."""
        path = self.path / "ports.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        taken = set()
        for name in names:
            port = (wanted or {}).get(name)
            if port and not is_free(port):
                raise Trouble(f"port {port} is in use by another program")
            port = port or known.get(name)
            if not port or port in taken or not is_free(port):
                port = free_port(taken)
            known[name] = port
            taken.add(port)
        write_private(path, json.dumps(known, indent=1) + "\n")
        return {name: known[name] for name in names}


def is_free(port):
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still being forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(taken):
    """A free port below those that the system gives to outgoing connections: nobody takes it between two starts."""
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)
        if port not in taken and is_free(port):
            return port
    raise Trouble("no port between 20000 and 32000 is free")
