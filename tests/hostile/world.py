"""An unprivileged account with Campaign servers in its home, root beside it, and who did what.

Everything lies below one folder: the account's home, root's canaries (files that must stay as they
are and whose contents nobody else may get), and the record of who ran or loaded the baits.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from integration.harness import CHECKOUT, environment

HERE = Path(__file__).resolve().parent
COLLECTIONS = CHECKOUT / "playbooks" / "collections"
MODULES = "ansible_collections.campaign.remediation.plugins.modules."
STATE = Path("/var/lib/campaign_remediation")
ANSWER_BYTES = 8 * 1024 * 1024
"""More than any answer that a controller should have to take from one host."""

PDUMP = """\
12:00:01 >   Application server for Adobe Campaign Classic (7.0 build 9356@5ba3f8b) of 01/02/2024
syslogd@default (4711) - 9.2 Mb
"""
NLSERVER = """\
#!/bin/sh
case "$1" in
pdump) cat <<'END'
{pdump}END
;;
esac
"""
ENVIRONMENT = """\
export HOSTILE={name}
if [ -f {home}/customer.sh ]; then . {home}/customer.sh; fi
"""
SERVER_CONF = """\
<?xml version="1.0" encoding="UTF-8"?>
<serverconf>
  <shared>
    <syslogd autoStart="true" port="10666"/>
    <web autoStart="false" httpPort="9"/>
  </shared>
</serverconf>
"""
INSTANCE_CONF = """\
<?xml version="1.0" encoding="UTF-8"?>
<serverconf>
  <shared>
    <mta autoStart="false"/>
    <wfserver autoStart="false"/>
  </shared>
</serverconf>
"""


class Noted(NamedTuple):
    """A bait that somebody ran or loaded."""

    uid: int
    file: str
    program: str


class Traced(NamedTuple):
    """What a traced process of root's run did with a path."""

    uid: int
    call: str
    marked: bool
    path: str


class Outcome(NamedTuple):
    """What a run came to."""

    code: int
    output: str
    errors: str
    seconds: float

    @property
    def answer(self) -> dict[str, Any]:
        """A module's answer."""
        loaded: dict[str, Any] = json.loads(self.output)
        return loaded

    @property
    def probes(self) -> dict[str, Any]:
        """What campaign_info's probes said."""
        assert "snapshot" in self.answer, str(self.answer)[:2000]
        probes: dict[str, Any] = self.answer["snapshot"]["probes"]
        return probes

    def data(self, probe: str) -> Any:
        """The data of one probe."""
        return self.probes[probe]["data"]


def as_account(account: pwd.struct_passwd, function: Callable[[], object]) -> None:
    """Call the function in a child that is the account; what it raises, in words."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            become(account)
            function()
        except BaseException:
            os.write(writer, traceback.format_exc().encode("utf-8", "replace")[:60000])
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read().decode()
    assert os.waitpid(pid, 0)[1] == 0, f"the account could not prepare this:\n{told}"


def become(account: pwd.struct_passwd) -> None:
    """This process is the account from now on."""
    os.setgroups([account.pw_gid])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)
    os.umask(0o022)
    os.chdir("/")


class Canaries:
    """Files of root's, and how they have to stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = "root-secret-" + secrets.token_hex(8)
        self.directory = folder / "directory"
        """Readable for all, with a file in it."""
        self.private = folder / "private"
        """For root alone; a log, a configuration and a ledger of the secret in it."""
        self.log = self.private / "mta.log"
        self.conf = self.private / "serverConf.xml"
        self.settings = folder / "settings"
        """Readable for all."""
        self.common = folder / "common"
        """Writable for all: what the account may make a hard link to."""
        self._before: dict[str, tuple[object, ...]] = {}

    def make(self) -> None:
        """Write them, as root."""
        for directory, mode in (
            (self.folder, 0o755), (self.directory, 0o755), (self.private, 0o700),
        ):  # fmt: skip
            directory.mkdir(mode=mode)
            directory.chmod(mode)
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        line = f"{now}.000Z\t00001000\t00001000\t1\terror\tlog\t{self.secret} failed\n"
        xml = f'<serverconf><shared><mta statServerAddress="{self.secret}"/></shared></serverconf>'
        conf = self.private / "config-prod.xml"
        for path, text, mode in (
            (self.log, line, 0o600),
            (self.conf, xml, 0o600),
            (conf, xml, 0o600),
            (self.settings, "unchanged\n", 0o644),
            (self.common, "unchanged\n", 0o666),
            (self.directory / "nlserver.pid", "1\n", 0o644),
            (self.directory / "customer.sh", "unchanged\n", 0o644),
        ):
            path.write_text(text)
            path.chmod(mode)
        self._before = self.now()

    def now(self) -> dict[str, tuple[object, ...]]:
        """Path to mode, owner and contents."""
        found: dict[str, tuple[object, ...]] = {}
        for path in (self.folder, *sorted(self.folder.rglob("*"))):
            status = path.lstat()
            content = path.read_text() if stat.S_ISREG(status.st_mode) else ""
            found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
        return found

    def check(self) -> None:
        """They are as they were."""
        now = self.now()
        changed = [
            f"{path}: {self._before.get(path)} -> {now.get(path)}"
            for path in sorted({*self._before, *now})
            if self._before.get(path) != now.get(path)
        ]
        if changed:  # the next attack is judged for what it does itself
            shutil.rmtree(self.folder)
            self.make()
        assert not changed, "root's files were changed:\n" + "\n".join(changed)


class Tree:
    """An installation in the account's home, as small as a diagnosis needs it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.root = world.home / name
        self.home = self.root / "nl6"
        self.conf = self.home / "conf"
        self.var = self.home / "var"
        self.logs = self.var / "prod" / "log"
        self.log = self.logs / "mta.log"
        self.nlserver = self.home / "bin" / "nlserver"
        self.state = self.root / "remediation"
        """Where ledger, lock and evidence are if the account is asked."""
        self.baits = self.root / "baits"
        self.port = 0
        """Where a peer of the attack listens."""

    def install(self) -> None:
        """Make it, as the account."""
        for instance in ("default", "prod"):
            (self.var / instance / "log").mkdir(parents=True)
        for directory in (self.conf, self.nlserver.parent, self.baits):
            directory.mkdir(parents=True)
        (self.conf / "serverConf.xml").write_text(SERVER_CONF)
        for instance in ("default", "prod"):
            (self.conf / f"config-{instance}.xml").write_text(INSTANCE_CONF)
        (self.home / "env.sh").write_text(ENVIRONMENT.format(name=self.name, home=self.home))
        self.answer_pdump()
        self.log.write_text(self.line("started") * 3)

    # ---------------------------------------------------------------- what attacks are made of

    @staticmethod
    def line(message: str) -> str:
        """A line of a log."""
        moment = time.time()  # to the millisecond: the module may have begun in the same second
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))
        return f"{now}.{int(moment % 1 * 1000):03}Z\t00001000\t00001000\t1\terror\tlog\t{message}\n"

    def export(self, line: str) -> None:
        """One more line in customer.sh."""
        with (self.home / "customer.sh").open("a") as stream:
            stream.write(line + "\n")

    def script(self, path: Path, text: str) -> Path:
        """A shell script."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)
        return path

    def nlserver_does(self, text: str) -> None:
        """nlserver is this shell script."""
        self.script(self.nlserver, text)

    def answer_pdump(self, text: str = PDUMP) -> None:
        """nlserver pdump answers this."""
        self.nlserver.unlink(missing_ok=True)
        self.nlserver.write_text(NLSERVER.format(pdump=text))
        self.nlserver.chmod(0o755)

    def library(self, name: str) -> Path:
        """A library that notes who loads it."""
        path = self.baits / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.world.library, path)
        return path

    def program(self, path: Path) -> Path:
        """A program that notes who runs it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.world.program, path)
        path.chmod(0o755)
        return path

    def note(self) -> str:
        """A shell command that notes who runs it."""
        return f'echo "$(/usr/bin/id -u) {self.baits}/script sh" >> {self.world.record}'

    def swap(self, path: Path, target: str | Path) -> None:
        """Put a link in the place of a file or folder."""
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            path.rename(path.with_name(path.name + ".before"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def fifo(self, path: Path) -> None:
        """Put a FIFO in the place of a file: who opens it waits."""
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)


class World:
    """The account, root's files, the record; makes all of it and removes it."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="hostile-", dir="/var/tmp"))
        self.base.chmod(0o755)
        self.home = self.base / "home"
        self.record = self.base / "record"
        self.trace = self.base / "trace"
        self.library = self.base / "recorder.so"
        self.program = self.base / "recorder"
        self.tracer = self.base / "tracer.so"
        self.fuse = self.base / "fuse"
        self.canaries = Canaries(self.base / "root")
        self.name = "hostile" + secrets.token_hex(4)
        self.tmp = Path("/var/tmp") / self.name
        """What the account makes in a folder where everybody may."""
        self.started: list[int] = []

    def make(self) -> None:
        """The account and all else."""
        for path in (self.record, self.trace):
            path.touch()
            path.chmod(0o666)
        os.mknod(self.fuse, stat.S_IFCHR, os.makedev(10, 229))
        self.fuse.chmod(0o666)  # as /dev/fuse is on most machines
        where = f'-DRECORD="{self.record}"'
        shared = ["-shared", "-fPIC"]
        for source, target, more in (
            ("recorder.c", self.library, [where, *shared]),
            ("recorder.c", self.program, [where, "-DPROGRAM"]),
            ("tracer.c", self.tracer, shared),
        ):
            command = ["cc", "-O1", *more, "-o", str(target), str(HERE / source)]
            subprocess.run(command, check=True, timeout=60)
        subprocess.run(["useradd", "--create-home", "--home-dir", self.home, "--shell", "/bin/sh",
                        self.name], check=True, timeout=30)  # fmt: skip
        self.home.chmod(0o755)
        self.canaries.make()

    def remove(self) -> None:
        """The account with its processes, its home and what root kept of it."""
        self.end_started()
        end = time.monotonic() + 10
        while (left := self.processes_of_account()) and time.monotonic() < end:
            for pid in left:
                _kill(pid)
            time.sleep(0.05)
        done = subprocess.run(["userdel", self.name], capture_output=True, text=True, timeout=30,
                              check=False)  # fmt: skip
        # Not with shutil: some trees are too deep for it.
        subprocess.run(["rm", "-rf", self.base], check=False, timeout=60)
        for path in STATE.glob(f"*{self.base.name}*"):  # not those of tests beside this one
            shutil.rmtree(path)
        subprocess.run(["rm", "-rf", self.tmp], check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    @property
    def account(self) -> pwd.struct_passwd:
        """The account."""
        return pwd.getpwnam(self.name)

    # ------------------------------------------------------------------------ as the account

    def act(self, function: Callable[[], object]) -> None:
        """Do it as the account."""
        as_account(self.account, function)

    def start(self, function: Callable[[], object]) -> int:
        """Begin something that goes on, as the account; ended by end_started."""
        account = self.account
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                become(account)
                function()
            finally:
                os._exit(0)
        self.started.append(pid)
        return pid

    def end_started(self) -> None:
        """End what start began, with what that started in turn."""
        for pid in self.started:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                _kill(pid)
            os.waitpid(pid, 0)
        self.started.clear()

    def tree(self, name: str) -> Tree:
        """A fresh installation."""
        tree = Tree(self, name)
        self.act(tree.install)
        return tree

    # ------------------------------------------------------------------------------- as root

    def module(
        self, name: str, arguments: Mapping[str, Any], *, check: bool = False, limit: float = 60,
        env: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run one of the collection's modules as root, as Ansible does on the host."""
        given = {**arguments, "_ansible_check_mode": check}
        command = [sys.executable, "-m", MODULES + name]
        variables = environment(PYTHONPATH=str(COLLECTIONS), ROOT_SECRET=self.canaries.secret,
                                **(env or {}))  # fmt: skip
        return self.run(command, variables, limit, json.dumps({"ANSIBLE_MODULE_ARGS": given}))

    def run(
        self, command: list[str], env: Mapping[str, str], limit: float = 60, text: str = ""
    ) -> Outcome:
        """Run a command as root."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            began = time.monotonic()
            process = subprocess.Popen(command, cwd="/", env=dict(env), stdin=subprocess.PIPE,
                                       stdout=out, stderr=err, start_new_session=True)  # fmt: skip
            try:
                process.communicate(text.encode(), limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise AssertionError(f"{command[-1]} did not end within {limit:g} s") from None
            seconds = time.monotonic() - began
            size = os.fstat(out.fileno()).st_size
            assert size < ANSWER_BYTES, f"an answer of {size} bytes"
            output, errors = (_text(stream) for stream in (out, err))
        return Outcome(process.returncode, output, errors, seconds)

    # ------------------------------------------------------------------------- who did what

    def tracing(self) -> dict[str, str]:
        """The variables with which a run of root's is traced."""
        self.trace.write_text("")
        return {"LD_PRELOAD": str(self.tracer), "TRACE": str(self.trace)}

    def noted(self) -> list[Noted]:
        """What the recorder noted since the last time."""
        lines = self.record.read_text(errors="replace").splitlines()
        self.record.write_text("")
        found = []
        for line in lines:
            uid, file, program = line.split(" ", 2)
            found.append(Noted(int(uid), file, program))
        return found

    def traced(self) -> list[Traced]:
        """What the tracer noted since the last time."""
        lines = self.trace.read_text(errors="replace").splitlines()
        self.trace.write_text("")
        found = []
        for line in lines:
            uid, call, marked, path = line.split(" ", 3)
            found.append(Traced(int(uid), call, marked == "1", path))
        return found

    def processes_of_account(self) -> list[int]:
        """All processes with the account's uid."""
        uid = self.account.pw_uid
        return [pid for pid, status in _statuses() if status.st_uid == uid]

    def left_of(self, tree: Tree) -> list[str]:
        """Processes that this installation's runs left behind; they are ended now."""
        words = str(tree.root).encode()
        mine = set(self.started)
        found = []
        for pid, _status in _statuses():
            process = Path("/proc", str(pid))
            try:
                if os.getpgid(pid) in mine:  # not read: a read may be what it attacks
                    continue
                line = (process / "cmdline").read_bytes()
                told = line + (process / "environ").read_bytes()
            except OSError:
                continue
            if words in told and pid != os.getpid():
                shown = line.replace(b"\0", b" ")
                _kill(pid)
                found.append(f"{pid} {shown.decode('utf-8', 'replace')[:200]}")
        return found


def _statuses() -> Iterator[tuple[int, os.stat_result]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), entry.stat()
            except OSError:
                continue


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(ANSWER_BYTES).decode("utf-8", "surrogateescape")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
