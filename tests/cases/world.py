"""The server of a case as files: a root of its own, in a mount namespace.

The home is /usr/local/neolane/nl6, /tmp is empty, files elsewhere lie where they belong; on the
machine itself nothing is changed. All of it ends with the process that made it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from cases import journal, kernel
from cases.form import Answer, CaseError, Given
from cases.healthy import HOME, USER, Server

CHECKOUT = Path(__file__).resolve().parents[2]
NEWNS, NEWUSER, NEWPID = 0x20000, 0x10000000, 0x20000000
BIND, REC, PRIVATE = 0x1000, 0x4000, 0x40000
YEAR_OLD = 30 * 86400.0
NUMBERS = {USER: 61010, "www-data": 61020, "apache": 61021, "httpd": 61022}
VERBS = ("pdump", "monitor", "start", "stop", "restart", "shutdown", "config", "stat", "watchdog",
         "web", "mta", "wfserver", "inMail", "syslogd", "trackinglogd", "tracking", "import",
         "export", "javascript", "sql", "package", "job", "cleanup", "billing")  # fmt: skip
PROGRAMS = ("ipcs", "getenforce", "systemctl", "journalctl", "apachectl", "apache2ctl", "httpd",
            "update-crypto-policies", "df", "free", "sudo", "ipcrm", "service")  # fmt: skip
UNIT_FILE = f"""[Unit]
Description=Adobe Campaign Classic service
[Service]
Type=forking
User={USER}
ExecStart={HOME}/bin/nlserver watchdog -svc -noconsole
[Install]
WantedBy=multi-user.target
"""

_libc = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """This machine gives this process no namespaces: what a case needs cannot be built."""


def apart(*kinds: int) -> None:
    """Leave namespaces of the machine for own ones. Raises Unable."""
    flags = sum(kinds)
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        flags |= NEWUSER
    if _libc.unshare(flags):
        raise Unable(f"unshare: {os.strerror(ctypes.get_errno())}")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def mount(source: str, target: Path | str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises Unable."""
    done = _libc.mount(source.encode(), str(target).encode(), kind.encode() or None,
                       ctypes.c_ulong(flags), data.encode() or None)  # fmt: skip
    if done:
        raise Unable(f"mount {kind or source} at {target}: {os.strerror(ctypes.get_errno())}")


class World:
    """The files of a server, once `build` has made them."""

    def __init__(self, server: Server, place: Path) -> None:
        """`place`: an empty folder, where the namespace's own file system is mounted."""
        self.server = server
        self.given: Given = server.given
        self.place = place
        self.proc = place / "proc"
        self.calls = place / "calls"
        self.mapped = os.geteuid() == 0
        names = {running.user for running in server.processes} | kernel.owners(server) | {USER}
        self.accounts = self._accounts(names)

    def _accounts(self, names: set[str]) -> dict[str, int]:
        """Numbers of accounts; those of the machine where it has them. Without root there is only
        our own to be had, which is the Campaign account's then.
        """
        found = {"root": 0}
        for number, name in enumerate(sorted(names), 61100):
            try:
                found[name] = pwd.getpwnam(name).pw_uid
            except KeyError:
                found[name] = NUMBERS.get(name, number)
        found[USER] = NUMBERS[USER] if self.mapped else 0
        return found

    def build(self) -> None:
        """Be in a namespace of our own, and make everything in it."""
        apart(NEWNS)
        mount("none", "/", flags=REC | PRIVATE)
        kept = [(path, os.open(path, os.O_PATH)) for path in self._kept_below_tmp()]
        mount("tmpfs", self.place, "tmpfs", data="mode=0755,size=256m")
        if self.mapped:
            for name in sorted({"usr", *(path.split("/")[1] for path in self._elsewhere())}):
                self._overlay(Path("/", name))
        else:
            for path in sorted({HOME, "/usr/local/sbin/systemctl", *self._elsewhere()}):
                _shadow(Path(path))
        (self.place / "tmp").mkdir()
        (self.place / "tmp").chmod(0o1777)
        (self.place / "run/systemd/system").mkdir(parents=True)
        (self.place / "neolane").mkdir()
        self.calls.touch()
        self.calls.chmod(0o666)
        Path(HOME).parent.mkdir(parents=True, exist_ok=True)
        mount(str(self.place / "neolane"), Path(HOME).parent, flags=BIND)
        self._system()
        self._home()
        kernel.write(self.proc, self.server, self.accounts)
        mount(str(self.place / "run"), "/run", flags=BIND)
        # From here on the machine's own /tmp is out of sight, so this comes last.
        self._bind_tmp(kept)
        self._change()

    def _kept_below_tmp(self) -> list[Path]:
        """What is still needed, if it lies in the machine's /tmp."""
        needed = {CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), self.place.parent}
        return sorted(path for path in needed if path.is_relative_to("/tmp"))

    def _bind_tmp(self, kept: list[tuple[Path, int]]) -> None:
        own = os.open(self.place, os.O_PATH)
        mount(str(self.place / "tmp"), "/tmp", flags=BIND)
        for path, descriptor in kept:
            path.mkdir(parents=True, exist_ok=True)
            mount(f"/proc/self/fd/{descriptor}", path, flags=BIND | REC)
        if self.place.is_relative_to("/tmp"):
            mount(f"/proc/self/fd/{own}", self.place, flags=BIND)
        for _path, descriptor in kept:
            os.close(descriptor)
        os.close(own)

    def _elsewhere(self) -> Iterator[str]:
        """The paths outside of the home at which a case changes something."""
        for path in (*self.given.system_files, *self.given.missing_paths, *self.given.modes,
                     *self.given.mtimes):  # fmt: skip
            parts = path.split("/")
            if path.startswith("/") and parts[1] not in ("tmp", "run") and not (
                path.startswith(f"{HOME}/")):
                yield path

    def _overlay(self, path: Path) -> None:
        """What is written below that folder is in this namespace only."""
        if not path.exists():
            raise CaseError(f"{path} is not on this machine: a case can have nothing there")
        real = path.resolve()
        upper, work = (self.place / kind / path.name for kind in ("upper", "work"))
        upper.mkdir(parents=True)
        upper.chmod(real.stat().st_mode & 0o7777)
        work.mkdir(parents=True)
        mount("overlay", real, "overlay",
              data=f"lowerdir={real},upperdir={upper},workdir={work}")  # fmt: skip

    # ------------------------------------------------------------------------ contents

    def _home(self) -> None:
        given, now = self.given, self.server.clock.now
        home = Path(HOME)
        own = [f"var/{instance}/{name}" for instance in self.server.instances
               for name in ("export", "upload", "workspace", "mta", "log")]  # fmt: skip
        for folder in ("bin", "lib", "conf", "var/default/log", "logs", *own):
            (home / folder).mkdir(parents=True, exist_ok=True)
        logs = {path: (content, at) for path, content, at in self.server.logs()}
        for path, content in self.server.files.items():
            if path.endswith("/"):
                (home / path).mkdir(parents=True, exist_ok=True)
            if path in logs or path.endswith("/"):
                continue
            at = given.written.get(path) if path in given.files else None
            self._file(home / path, content, self._age(path) if at is None else min(at, now))
        for path, (content, at) in logs.items():
            self._file(home / path, content, at)
        for name in ("env.sh", "customer.sh"):
            if (home / name).is_file():
                (home / name).chmod(0o755)
        self._nlserver(home / "bin/nlserver")
        self._give(home.parent)

    def _age(self, path: str) -> float:
        """When a file was changed of which the case says nothing: what is configured long ago,
        what is written all the time just now.
        """
        now = self.server.clock.now
        if path.startswith(("conf/", "customer.sh", "env.sh", "bin/", "lib/")):
            return now - YEAR_OLD
        return now - (120 if "/redir/log/" in path else 3600)

    @staticmethod
    def _file(path: Path, content: str, at: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(_encoding(content), "surrogateescape"))
        os.utime(path, (at, at))

    def _give(self, top: Path) -> None:
        """All of the home is the account's."""
        if not self.mapped:
            return
        number = self.accounts[USER]
        for folder, names, files in os.walk(top):
            for name in (".", *names, *files):
                os.chown(os.path.join(folder, name), number, number, follow_symlinks=False)

    def _system(self) -> None:
        now = self.server.clock.now
        for path, content in self.given.system_files.items():
            at = self.given.written.get(path)
            if path.endswith("/"):
                Path(path).mkdir(parents=True, exist_ok=True)
            elif path.startswith(("/tmp/", "/run/")):
                self._file(self.place / path[1:], content, now - YEAR_OLD if at is None else at)
            else:
                self._file(Path(path), content, now - YEAR_OLD if at is None else min(at, now))
        self._programs(Path("/usr/local/sbin"))

    def _change(self) -> None:
        """What is missing, modes and times: after everything is there."""
        for path in self.given.missing_paths:
            target = self._target(path)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            elif os.path.lexists(target):
                target.unlink()
        for path, mode in self.given.modes.items():
            self._there("modes", path).chmod(mode)
        for path, at in self.given.mtimes.items():
            os.utime(self._there("mtimes", path), (at, at))

    def _target(self, path: str) -> Path:
        return Path(path) if path.startswith("/") else Path(HOME, path)

    def _there(self, key: str, path: str) -> Path:
        target = self._target(path)
        if not os.path.lexists(target):
            raise CaseError(f"given.{key}: there is no {path}")
        return target

    # ------------------------------------------------------------------------- programs

    def _nlserver(self, path: Path) -> None:
        """The server's program: it answers as the case says, and notes what nobody may ask it."""
        folder = self.place / "console"
        folder.mkdir()
        folder.chmod(0o755)
        cases = []
        commands = {command: answer for command, answer in self.server.console.items()
                    if command.split()[0] not in PROGRAMS}  # fmt: skip
        for number, command in enumerate(sorted(commands, key=len, reverse=True)):
            if command.split()[0] not in VERBS:
                raise CaseError(f"given.console: nlserver has no command {command!r}")
            cases.append(_case(folder, number, command, commands[command]))
        text = "\n".join([
            "#!/bin/sh", 'case "$*" in', *cases,
            f"""*) echo "nlserver $*" >>{self.calls}""",
            """echo "the case says nothing of this: $*" >&2; exit 99;;""", "esac", "",
        ])  # fmt: skip
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        old = self.server.clock.now - YEAR_OLD
        os.utime(path, (old, old))

    def _programs(self, folder: Path) -> None:
        """Commands of the system that a case speaks of, and those of systemd."""
        folder.mkdir(parents=True, exist_ok=True)
        answers = self.place / "programs"
        answers.mkdir()
        answers.chmod(0o755)
        own: dict[str, list[str]] = {}
        for number, (command, answer) in enumerate(self.given.console.items()):
            words = command.split()
            if words and words[0] in PROGRAMS:
                own.setdefault(words[0], []).append(
                    _case(answers, number, " ".join(words[1:]), answer))
        for name, cases in own.items():
            self._program(folder / name, ['case "$*" in', *cases, "*) exit 1;;", "esac"])
        units = self.place / "units"
        units.mkdir()
        for unit, values in self._units().items():
            (units / unit).write_text("".join(f"{k}={v}\n" for k, v in values.items()))
        (units / "nlserver.file").write_text(UNIT_FILE)
        if "systemctl" not in own:
            self._program(folder / "systemctl", _systemctl(units, self.calls))
        if "journalctl" not in own:
            self._journal(folder / "journalctl")

    @staticmethod
    def _program(path: Path, lines: list[str]) -> None:
        path.unlink(missing_ok=True)
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def _units(self) -> dict[str, dict[str, str]]:
        """The units by name; the server's is enabled and active unless the case says otherwise."""
        watchdog = self.server.runs("watchdog")
        journal = "\n".join(self.given.journal or ())
        failed = journal.rfind("Failed with result") > journal.rfind("Started ")
        own = {
            "Id": "nlserver.service", "LoadState": "loaded",
            "ActiveState": "failed" if failed else "active",
            "SubState": "failed" if failed else "running" if watchdog else "exited",
            "UnitFileState": "enabled", "MainPID": str(watchdog.pid if watchdog else 0),
            "PIDFile": "", "Result": "exit-code" if failed else "success",
            "ExecMainStatus": "127" if "status=127" in journal else "0", "NRestarts": "0",
        }  # fmt: skip
        found = {"nlserver": own}
        for unit, values in self.given.service.items():
            base = found.setdefault(unit, {**own, "Id": f"{unit}.service", "MainPID": "0"})
            base.update(values)
            if "ActiveState" in values and "SubState" not in values:
                base["SubState"] = {"active": "running", "inactive": "dead"}.get(
                    values["ActiveState"], values["ActiveState"])
            if base["ActiveState"] != "active":
                base["MainPID"] = values.get("MainPID", "0")
        return found

    def _journal(self, path: Path) -> None:
        """The journal in every form that journalctl prints it in."""
        lines = self.given.journal
        if lines is None:
            lines = ("systemd[1]: Started Adobe Campaign Classic service.",)
        folder = self.place / "journal"
        folder.mkdir()
        begun = self.server.clock.now - (120 if self.given.journal else YEAR_OLD)
        for form, text in journal.forms(lines, begun).items():
            (folder / form).write_text(text, encoding="utf-8")
        self._program(path, journal.program(folder, sorted(journal.forms(lines, begun))))


def _shadow(path: Path) -> None:
    """Make the folder of a path one in which anything can be made, with what is there in place.

    For who is root in a namespace of users only, and so owns nothing of the machine.
    """
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder.stat().st_uid == os.geteuid():
        return
    real = os.open(folder.resolve(), os.O_PATH | os.O_DIRECTORY)
    there = f"/proc/self/fd/{real}"
    entries = [(entry.name, entry.is_symlink(), entry.is_dir()) for entry in os.scandir(there)]
    mount("tmpfs", folder.resolve(), "tmpfs", data="mode=0755")
    for name, link, directory in entries:
        place = folder / name
        if link:
            place.symlink_to(os.readlink(f"{there}/{name}"))
            continue
        if directory:
            place.mkdir()
        else:
            place.touch()
        mount(f"{there}/{name}", place, flags=BIND | REC)
    os.close(real)


def _encoding(content: str) -> str:
    head = content[:80].lower()
    return "iso-8859-1" if "iso-8859-1" in head and "encoding" in head else "utf-8"


def _case(folder: Path, number: int, command: str, answer: Answer) -> str:
    """A branch of a shell's case: what a command prints, and how it ends."""
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    out.write_text(answer.out, encoding="utf-8")
    err.write_text(answer.err, encoding="utf-8")
    end = f"exit {answer.status}" if answer.status >= 0 else f"kill -{-answer.status} $$"
    word = "'" + command.replace("'", "'\\''") + "'"
    patterns = f"{word}|{word}' '*" if command else "*"
    return f"{patterns}) cat {err} >&2; cat {out}; {end};;"


def _systemctl(units: Path, calls: Path) -> list[str]:
    return [
        "verb=; names=; skip=",
        'for word in "$@"; do',
        '  if [ "$skip" ]; then skip=; continue; fi',
        '  case "$word" in',
        "  -p|--property|-n|-o) skip=1;; -*) ;;",
        '  *) if [ "$verb" ]; then names="$names $word"; else verb=$word; fi;;',
        "  esac",
        "done",
        "missing() { printf 'Id=%s\\nLoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n"
        "UnitFileState=\\nMainPID=0\\nPIDFile=\\n' \"$1\"; }",
        'case "$verb" in',
        "show) first=1; for name in $names; do",
        '  [ "$first" ] || echo; first=; unit=${name%.service}',
        f'  if [ -f "{units}/$unit" ]; then cat "{units}/$unit"; else missing "$name"; fi',
        "done;;",
        f"""cat) for name in $names; do cat "{units}/${{name%.service}}.file" 2>/dev/null ||""",
        "  exit 1; done;;",
        "is-active|is-enabled|is-failed) for name in $names; do",
        f'  unit="{units}/${{name%.service}}"',
        '  if [ "$verb" = is-enabled ]; then key=UnitFileState; want=enabled; else',
        '    key=ActiveState; want=${verb#is-}; fi',
        '  value=$(sed -n "s/^$key=//p" "$unit" 2>/dev/null); echo "${value:-inactive}"',
        '  [ "$value" = "$want" ] || exit 3',
        "done;;",
        "is-system-running) echo running;;",
        "list-units|list-unit-files|status|get-default) ;;",
        f"""*) echo "systemctl $*" >>{calls}; exit 1;;""",
        "esac",
    ]
