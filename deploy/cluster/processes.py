"""Processes of a cluster: each in a session of its own, with a log, and stopped in bounded time."""

import contextlib
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time

import watchdog


class Trouble(Exception):
    """What went wrong, in one line for the operator."""


class Stopped(Exception):
    """Somebody asked the cluster to stop while it was waiting for something."""


class Wishes:
    """Counts how often the cluster was asked to stop: once means in order, twice means now."""

    #: `make` and a terminal may both pass on one and the same wish.
    SAME_WISH = 0.5

    def __init__(self):
        self.count = 0
        self._last = -self.SAME_WISH

    def listen(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number, _frame):
        now = time.monotonic()
        if now - self._last >= self.SAME_WISH:
            self.count += 1
        self._last = now

    @property
    def are_urgent(self):
        return self.count > 1


class Account:
    """The user as whom a process runs: None is whoever runs the cluster."""

    def __init__(self, name=None):
        self._entry = pwd.getpwnam(name) if name else None

    @property
    def options(self):
        """Arguments of subprocess. It sets groups first, then ids, and only then our own code runs in the child."""
        if not self._entry:
            return {}
        return {"user": self._entry.pw_uid, "group": self._entry.pw_gid, "extra_groups": []}

    @property
    def home(self):
        return self._entry.pw_dir if self._entry else os.path.expanduser("~")

    def own(self, path):
        if self._entry:
            os.chown(path, self._entry.pw_uid, self._entry.pw_gid)

    def require_entry(self, folder):
        """Refuses a folder that the account could not reach."""
        if not self._entry:
            return
        for parent in [folder, *folder.parents]:
            status = parent.stat()
            bits = {self._entry.pw_uid: 0o100, None: 0o001}
            wanted = bits.get(status.st_uid, 0o010 if status.st_gid == self._entry.pw_gid else 0o001)
            if not status.st_mode & wanted:
                raise Trouble(f"the user {self._entry.pw_name} may not enter {parent}: choose another --data")


class Keeper:
    """Starts processes, and has the watchdog end them should this program be killed."""

    def __init__(self, lock):
        self._dog = subprocess.Popen(
            [sys.executable, "-B", str(pathlib.Path(watchdog.__file__))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[lock],
        )
        self._pipe = self._dog.stdin.fileno()

    def spawn(self, command, log, account, environment=None):
        pipe = self._pipe

        def register():
            # In the child, before it becomes what it is to be: there is no moment at which it is not watched.
            os.write(pipe, b"%d\n" % os.getpid())

        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=register,
            cwd="/",
            env=environment,
            **account.options,
        )

    def run(self, command, account=None, environment=None, text=None, deadline=120):
        """Runs a command to its end and returns its output; trouble has the last line that it wrote."""
        account = account or Account()
        pipe = self._pipe
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=deadline,
                cwd="/",
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: os.write(pipe, b"%d\n" % os.getpid()),
                check=False,
                **account.options,
                **({} if text is not None else {"stdin": subprocess.DEVNULL}),
            )
        except subprocess.TimeoutExpired:
            raise Trouble(f"{pathlib.Path(command[0]).name} did not end within {deadline} s") from None
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise Trouble(f"{pathlib.Path(command[0]).name} failed: {' | '.join(lines[-2:])}")
        return done.stdout

    def close(self):
        with contextlib.suppress(OSError):
            self._dog.stdin.close()
        self._dog.wait()


class Service:
    """One process of the cluster, and what is needed to start it again."""

    #: How it is asked to end, and for how many seconds each way may take.
    ways_to_stop = [(signal.SIGTERM, 15)]

    def __init__(self, name, keeper, log, account=None):
        self.name = name
        self.keeper = keeper
        self.log = log
        self.account = account or Account()
        self._process = None
        #: Whether it should be running.
        self.is_wanted = False
        self._was_asked = False

    def command(self):
        """The command line, which all users of the machine can read."""
        raise NotImplementedError

    def environment(self):
        """None is that of this program."""
        return None

    @property
    def pid(self):
        return self._process.pid if self._process else None

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self):
        """How the process ended, for people."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "runs"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def start(self):
        self.is_wanted = True
        self._was_asked = False
        with open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            try:
                self._process = self.keeper.spawn(self.command(), log, self.account, self.environment())
            except OSError as error:
                raise Trouble(f"{self.name} can't be started: {error}") from None

    def wait_for(self, condition, deadline, wishes, what="be ready"):
        """Waits until `condition` holds. The process' end, the deadline and a wish to stop end the waiting."""
        end = time.monotonic() + deadline
        while not condition():
            if wishes.count:
                raise Stopped
            if not self.is_running:
                raise Trouble(f"{self.name} {self.ending}: {self.last_line()} (log: {self.log})")
            if time.monotonic() > end:
                raise Trouble(f"{self.name} did not {what} within {deadline} s (log: {self.log})")
            time.sleep(0.05)

    def last_line(self):
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][-300:] if lines else "it wrote nothing"

    def ask_to_stop(self):
        """Begins what `stop` waits for, so that several can end at the same time."""
        self.is_wanted = False
        if self.is_running:
            self._send(self.ways_to_stop[0][0], [self.pid])
            self._was_asked = True

    def stop(self, wishes):
        """Asks it to end, waits, and kills what is left. Also a process that somebody has frozen ends."""
        self.is_wanted = False
        if not self.is_running:
            return
        known = self._tree()
        for number, seconds in self.ways_to_stop:
            if not self._was_asked:
                self._send(number, [self.pid])
            self._was_asked = False
            self._send(signal.SIGCONT, known)
            end = time.monotonic() + seconds
            while self.is_running and time.monotonic() < end and not wishes.are_urgent:
                time.sleep(0.02)
            if not self.is_running or wishes.are_urgent:
                break
        watchdog.kill(known)
        self._process.wait()

    def _tree(self):
        """The process and its descendants: id → start time."""
        snapshot = watchdog.processes()
        if self.pid not in snapshot:
            return {}
        return {pid: snapshot[pid].started for pid in watchdog.tree({self.pid: snapshot[self.pid].started}, snapshot)}

    @staticmethod
    def _send(number, pids):
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
