"""`python -m config.supervisor`: the whole product on one machine, started, watched and ended together.

What ./scripts/run ends in. Web server, Celery worker with beat and local model are processes of their own; one that
dies is started again after a pause. Production may use it too, or run the three commands under systemd.
"""

import ctypes
import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError

from config import env, local_model

TICK_SECONDS = 0.1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0  # who lived this long is forgiven the deaths before
PATIENCE_SECONDS = 8.0  # from "please end" to the end
GRACE_SECONDS = 3  # for streams in progress: answers live on in their rows
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class Child:
    """One process to keep alive; its words go to `log`, those of the run before to the file beside it."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name, self.log = name, log
        self._command = command
        self._pause = 0.0
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        self._start()

    def _start(self) -> None:
        with self.log.open("ab") as words:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then ends everyone in order.
            self._process = subprocess.Popen(  # noqa: S603  # our own commands
                self._command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  # one system call, no lock
            )
        self._started, self._due = time.monotonic(), 0.0

    def tend(self) -> None:
        """Start it again if it has died, after a pause that doubles with every death."""
        if self._process.poll() is None:
            return
        now = time.monotonic()
        if not self._due:
            steady = now - self._started > STEADY_SECONDS
            self._pause = (
                min(self._pause * 2, LONGEST_PAUSE_SECONDS) if self._pause and not steady else FIRST_PAUSE_SECONDS
            )
            self._due = now + self._pause
            _say(f"The {self.name} ended ({self._process.returncode}); again in {self._pause:g} s. See {self.log}")
        elif now >= self._due:
            self._start()

    def ask_to_end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end until `deadline` on the monotonic clock, then insist."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def main() -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; the exit code says whether the start succeeded."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    children: list[Child] = []
    try:
        _run(children, stop)
    except (ImproperlyConfigured, OperationalError, CommandError, OSError) as error:
        _say(f"The gateway cannot start: {error}")
        return 1
    finally:
        _end(children)
    return 0


def _run(children: list[Child], stop: threading.Event) -> None:
    port = _choose_model_port()
    env.choose_settings()
    django.setup()
    _refuse_taken_port()
    python, logs = sys.executable, settings.DATA_DIR / "logs"
    logs.mkdir(exist_ok=True)
    if port:  # loads its weights while the database is made ready
        children.append(Child("local model", [python, "-m", "config.local_model", str(port)], logs / "model.log"))
    first_words = _prepare_database()
    serve = [python, "manage.py", "serve", "--grace", str(GRACE_SECONDS)]
    children.append(Child("web server", serve, logs / "web.log"))
    worker = [python, "-m", "celery", "--app", "config.celery", "worker", "--pool", "solo", "--without-gossip"]
    worker += ["--without-mingle", "--beat", "--schedule", str(settings.DATA_DIR / "beat"), "--loglevel", "INFO"]
    children.append(Child("worker", worker, logs / "worker.log"))
    note = settings.DATA_DIR / "local_model"
    note.write_text(env.text("LOCAL_MODEL_URL"))  # for verbs run beside us, such as doctor
    try:
        _watch(children, stop, first_words)
    finally:
        note.unlink(missing_ok=True)


def _watch(children: list[Child], stop: threading.Event, first_words: str) -> None:
    while not stop.wait(TICK_SECONDS):
        for child in children:
            child.tend()
        if first_words and _is_serving():
            _say(first_words)
            first_words = ""


def _choose_model_port() -> int | None:
    """Decided before settings are read, because every process of this run must read the same address there."""
    if not env.flag("LOCAL_MODEL", default=True) or env.text("LOCAL_MODEL_URL"):
        return None
    if not local_model.is_installed():
        _say("There is no local model: its packages are not installed here. Name a provider with OPENAI_API_KEY.")
        env.export("LOCAL_MODEL", "0")
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    env.export("LOCAL_MODEL_URL", f"http://127.0.0.1:{port}/v1")
    return port


def _refuse_taken_port() -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise ImproperlyConfigured(
                f"{settings.HOST}:{settings.PORT} cannot be listened on ({error.strerror}). "
                f"Choose another port: PORT={settings.PORT + 1} DATA_DIR=another/folder ./scripts/run"
            ) from error


def _prepare_database() -> str:
    """Migrate and fill what is empty; the result is what to tell the person once the first page is there."""
    call_command("migrate", interactive=False, verbosity=0)
    # The demo begins some weeks ago, with its clauses and quotas: before `prepare` would write today's date on them.
    told = _open_demo() if settings.DEMO else ""
    call_command("prepare")
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::") else settings.HOST  # noqa: S104  # compared, not bound
    address = f"http://{host}:{settings.PORT}/"
    return f"\nThe gateway is at {address} (Ctrl-C ends it). Its files are in {settings.DATA_DIR}\n{told}".rstrip()


def _open_demo() -> str:
    if not get_user_model().objects.exists():
        return str(call_command("seed_demo", stdout=io.StringIO()))
    return (
        "Demo logins have DEMO_PASSWORD, or the password printed at the first start "
        "(manage.py seed_demo --new-password makes another)."
    )


def _is_serving() -> bool:
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::") else settings.HOST  # noqa: S104  # compared, not bound
    door = http.client.HTTPConnection(host, settings.PORT, timeout=1)
    try:
        door.request("GET", "/healthz")
        return door.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        door.close()


def _end(children: list[Child]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end(deadline)


def _die_with_parent() -> None:
    # Even a supervisor that is killed outright leaves no orphan (Linux; elsewhere only an orderly end does).
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
