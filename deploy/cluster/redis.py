"""Redis: the bus of the nodes. It keeps nothing on the disk, because nothing in it is worth keeping."""

import shutil
import socket

from files import write_private
from processes import Service, Trouble

SECRET = "redis"


class RedisServer(Service):
    def __init__(self, number, keeper, folder, port, secrets):
        name = f"redis-{number}"
        super().__init__(name, keeper, folder.log(name))
        self.port = port
        self.password = secrets[SECRET]
        self.program = shutil.which("redis-server")
        if not self.program:
            raise Trouble("redis-server is missing: install the package redis-server")
        self.data = folder.make(name)
        self.file = self.data / "redis.conf"

    @property
    def url(self):
        return f"redis://:{self.password}@127.0.0.1:{self.port}"

    def command(self):
        # The password stands in the file, which is the owner's only: a command line can be read by everybody.
        return [self.program, str(self.file)]

    def start(self):
        write_private(self.file, settings(self.port, self.password, self.data))
        super().start()

    @property
    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(100), answers.readline(100)] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def settings(port, password, folder):
    return f"""bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
save ""
appendonly no
# What does not fit is refused and said, rather than forgotten silently.
maxmemory 256mb
maxmemory-policy noeviction
# A node that does not read is cut, and catches up from the log.
client-output-buffer-limit pubsub 64mb 16mb 30
"""
