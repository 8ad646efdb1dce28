"""PostgreSQL: a primary and, where wanted, a synchronous standby that streams from it. Both listen on loopback only."""

import os
import pathlib
import re
import shutil
import signal
import time

import processes
from files import write_private
from processes import Account, Service, Trouble

OLDEST = 15
SUPERUSER, OWNER, REPLICATOR, DATABASE = "postgres", "martlet", "replicator", "martlet"
SECRETS = ["postgresSuperuser", "postgresOwner", "postgresReplicator"]


def programs():
    """The folder of the newest PostgreSQL's programs."""
    found = {}
    for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"):
        if path.parent.parent.name.isdigit():
            found[int(path.parent.parent.name)] = path.parent
    if not found and shutil.which("initdb"):
        return pathlib.Path(os.path.realpath(shutil.which("initdb"))).parent
    if not found or max(found) < OLDEST:
        raise Trouble(f"PostgreSQL {OLDEST} or newer is missing: install the package postgresql")
    return found[max(found)]


def account():
    """PostgreSQL refuses to run as root, so it runs as its own user then."""
    if os.geteuid() != 0:
        return Account()
    try:
        return Account("postgres")
    except KeyError:
        raise Trouble("there is no user postgres: install the package postgresql") from None


class PostgresServer(Service):
    """One server of the pair, as primary or as standby."""

    # A fast shutdown; then one that leaves the repair to the next start.
    ways_to_stop = [(signal.SIGINT, 15), (signal.SIGQUIT, 5)]

    def __init__(self, number, keeper, folder, port, secrets, partner_port):
        super().__init__(f"postgres-{number}", keeper, folder.log(f"postgres-{number}"), account())
        self.port = port
        self.partner_port = partner_port
        self.partner_name = f"postgres-{3 - number}"
        self.secrets = secrets
        self.programs = programs()
        self.account.require_entry(folder.path)
        self.home = folder.make(self.name, account=self.account)
        self.data = self.home / "data"
        self.passwords = self.home / "passwords"
        self.admin_passwords = folder.path / "postgres.passwords"

    # What it is

    @property
    def is_made(self):
        return (self.data / "PG_VERSION").exists()

    @property
    def is_standby(self):
        return (self.data / "standby.signal").exists()

    @property
    def timeline(self):
        """Grows with each promotion: of two that both think that they lead, the higher one is right."""
        text = self.keeper.run([str(self.programs / "pg_controldata"), str(self.data)], self.account)
        return int(re.search(r"Latest checkpoint's TimeLineID:\s+(\d+)", text).group(1))

    # Making

    def make_primary(self):
        """A new, empty server."""
        secret = self.home / "superuser"
        write_private(secret, self.secrets["postgresSuperuser"] + "\n", self.account)
        try:
            self.keeper.run(
                [
                    str(self.programs / "initdb"),
                    f"--pgdata={self.data}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--data-checksums",
                ],
                self.account,
            )
        finally:
            secret.unlink()

    def make_standby(self):
        """A copy of the partner, which must be running. What was here before is set aside, never thrown away unseen."""
        if self.data.exists():
            aside = self.home / "data.aside"
            shutil.rmtree(aside, ignore_errors=True)
            self.data.rename(aside)
        self._write_passwords()
        self.keeper.run(
            [
                str(self.programs / "pg_basebackup"),
                f"--pgdata={self.data}",
                "--wal-method=stream",
                "--checkpoint=fast",
                f"--dbname=host=127.0.0.1 port={self.partner_port} user={REPLICATOR}",
            ],
            self.account,
            self._client_environment(self.passwords, self.account.home),
            deadline=3600,
        )
        (self.data / "standby.signal").touch(mode=0o600)
        self.account.own(self.data / "standby.signal")

    def _write_passwords(self):
        write_private(
            self.passwords, f"127.0.0.1:*:*:{REPLICATOR}:{self.secrets['postgresReplicator']}\n", self.account
        )

    def write_settings(self, has_standby):
        """All settings are this program's, written at each start; what ALTER SYSTEM has changed is forgotten."""
        self._write_passwords()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            # The path of a socket has a hundred characters at most, and the data folder may be anywhere.
            "unix_socket_directories": "",
            "cluster_name": self.name,
            "max_connections": 200,
            "password_encryption": "scram-sha-256",
            "wal_level": "replica",
            # How far the standby may be behind before it has to be copied anew.
            "wal_keep_size": "512MB",
            "log_line_prefix": "%m [%p] %q%a ",
            # Only a primary waits for its standby, so that a promoted one need not be told to stop waiting.
            "synchronous_standby_names": f'"{self.partner_name}"' if has_standby and not self.is_standby else "",
            "primary_conninfo": f"host=127.0.0.1 port={self.partner_port} user={REPLICATOR}"
            f" passfile={conninfo_quote(str(self.passwords))}"
            f" application_name={self.name}",
        }
        text = "".join(f"{key} = {setting_quote(value)}\n" for key, value in settings.items())
        write_private(self.data / "postgresql.conf", text, self.account)
        write_private(self.data / "postgresql.auto.conf", "", self.account)
        rules = "host all all 127.0.0.1/32 scram-sha-256\nhost replication replicator 127.0.0.1/32 scram-sha-256\n"
        write_private(self.data / "pg_hba.conf", rules, self.account)
        write_private(self.admin_passwords, f"127.0.0.1:*:*:{SUPERUSER}:{self.secrets['postgresSuperuser']}\n")

    # Running

    def command(self):
        return [str(self.programs / "postgres"), "-D", str(self.data)]

    def environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8"}

    def psql(self, text, database=SUPERUSER, deadline=30):
        """Runs SQL as superuser. It does not wait for the standby, which may not be there yet."""
        environment = self._client_environment(self.admin_passwords, os.path.expanduser("~"))
        environment["PGOPTIONS"] = "-c synchronous_commit=local"
        environment["PGCONNECT_TIMEOUT"] = "3"
        command = [
            str(self.programs / "psql"),
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--host=127.0.0.1",
            f"--port={self.port}",
            f"--username={SUPERUSER}",
            f"--dbname={database}",
        ]
        return self.keeper.run(command, None, environment, text=text, deadline=deadline).strip()

    @staticmethod
    def _client_environment(passwords, home):
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PGPASSFILE": str(passwords),
            "HOME": home,
            "LANG": "C.UTF-8",
        }

    @property
    def answers(self):
        try:
            return self.psql("SELECT 1", deadline=5) == "1"
        except Trouble:
            return False

    @property
    def has_standby(self):
        """Whether the partner streams from this one, and commits wait for it."""
        state = self.psql(
            "SELECT count(*) FROM pg_stat_replication"
            f" WHERE application_name = '{self.partner_name}' AND sync_state = 'sync'"
        )
        return state == "1"

    def make_database(self):
        """The role and the database of the nodes. A password is never part of a command line."""
        for name, options, secret in [(OWNER, "", "postgresOwner"), (REPLICATOR, "REPLICATION", "postgresReplicator")]:
            exists = self.psql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "1"
            verb = "ALTER" if exists else "CREATE"
            self.psql(f"{verb} ROLE {name} LOGIN {options} PASSWORD '{self.secrets[secret]}'")
        if self.psql(f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}'") == "0":
            self.psql(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def promote(self):
        """Makes a primary of the standby, as an operator would after the primary's end."""
        self.psql("SELECT pg_promote(true, 30)", deadline=40)


class PostgresPair:
    """The two servers and which of them leads. Who led may change between two runs, or be promoted in one."""

    def __init__(self, keeper, folder, ports, secrets, has_standby):
        self.has_standby = has_standby
        both = [
            PostgresServer(1, keeper, folder, ports["postgres-1"], secrets, ports["postgres-2"]),
            PostgresServer(2, keeper, folder, ports["postgres-2"], secrets, ports["postgres-1"]),
        ]
        self.primary, self.standby = choose_primary(both)

    @property
    def servers(self):
        return [self.primary, self.standby] if self.has_standby else [self.primary]

    def url(self, secrets):
        """Where the nodes connect: whichever of the two takes writes."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in sorted(self.servers, key=lambda one: one.name))
        search = "?target_session_attrs=read-write" if self.has_standby else ""
        return f"postgres://{OWNER}:{secrets['postgresOwner']}@{hosts}/{DATABASE}{search}"

    def start(self, wishes):
        if not self.primary.is_made:
            self.primary.make_primary()
        self.primary.write_settings(self.has_standby)
        self.primary.start()
        self.primary.wait_for(lambda: self.primary.answers, 120, wishes, "answer")
        self.primary.make_database()
        if self.has_standby:
            self._start_standby(wishes)

    def _start_standby(self, wishes):
        if self.standby.is_made and self.standby.is_standby and self._streams(wishes, deadline=20):
            return
        # There is none, or it is too far behind, or it went another way: a copy is always right.
        self.standby.stop(wishes)
        self.standby.make_standby()
        if not self._streams(wishes, deadline=120):
            raise Trouble(f"the standby does not stream: {self.standby.last_line()} (log: {self.standby.log})")

    def _streams(self, wishes, deadline):
        self.standby.write_settings(True)
        self.standby.start()
        end = time.monotonic() + deadline
        while time.monotonic() < end and self.standby.is_running:
            if wishes.count:
                raise processes.Stopped
            if self.primary.has_standby:
                return True
            time.sleep(0.1)
        return False

    def promote(self):
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary


def choose_primary(servers):
    """Returns (primary, standby) of two servers, either of which may not be made yet."""
    made = [server for server in servers if server.is_made]
    leaders = [server for server in made if not server.is_standby]
    if made and not leaders:
        raise Trouble(
            f"only the standby's data is there ({made[0].data}): "
            "remove its standby.signal to go on from it as the primary"
        )
    if len(leaders) == 2:
        leaders.sort(key=lambda server: server.timeline, reverse=True)
    primary = (leaders or servers)[0]
    return primary, next(server for server in servers if server is not primary)


def setting_quote(value):
    """A value of postgresql.conf."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def conninfo_quote(value):
    """A value of a connection string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
