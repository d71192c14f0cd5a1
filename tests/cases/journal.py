"""The journal of a case's unit, in the forms in which journalctl prints one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

HOST = "campaign1"
_IDENT = re.compile(r"(?P<ident>[\w.@/-]+)(?:\[(?P<pid>\d+)\])?: (?P<message>.*)")
_DATED = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)"
    r" (?:[\w.-]+ )?(?=[\w.@/-]+(?:\[\d+\])?: )"
)


def forms(lines: Iterable[str], begun: float) -> dict[str, str]:
    """{form: text}; lines without a time come one second after the other."""
    texts: dict[str, list[str]] = {
        name: [] for name in ("short", "short-iso", "short-iso-precise", "short-precise",
                              "short-unix", "cat", "json", "export")}  # fmt: skip
    for number, line in enumerate(lines):
        at = begun + number
        text = line
        dated = _DATED.match(line)
        if dated:
            at, text = _moment(dated[0], at), line[dated.end():]
        found = _IDENT.fullmatch(text)
        message = found["message"] if found else text
        moment = datetime.fromtimestamp(at, UTC)
        iso = moment.strftime("%Y-%m-%dT%H:%M:%S")
        short = moment.strftime("%b %d %H:%M:%S")
        texts["short"].append(f"{short} {HOST} {text}")
        texts["short-precise"].append(f"{short}.{moment.microsecond:06d} {HOST} {text}")
        texts["short-iso"].append(f"{iso}+0000 {HOST} {text}")
        texts["short-iso-precise"].append(f"{iso}.{moment.microsecond:06d}+0000 {HOST} {text}")
        texts["short-unix"].append(f"{at:.6f} {HOST} {text}")
        texts["cat"].append(message)
        entry = {"__REALTIME_TIMESTAMP": str(int(at * 1e6)), "MESSAGE": message, "PRIORITY": "6",
                 "_HOSTNAME": HOST, "_SYSTEMD_UNIT": "nlserver.service"}  # fmt: skip
        if found:
            entry["SYSLOG_IDENTIFIER"] = found["ident"]
            entry["_PID"] = found["pid"] or "1"
        texts["json"].append(json.dumps(entry))
        texts["export"].append("".join(f"{k}={v}\n" for k, v in entry.items()))
    return {name: "".join(f"{line}\n" for line in each) for name, each in texts.items()}


def _moment(text: str, default: float) -> float:
    words = text.strip().split(" ")
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return datetime.strptime(words[0].replace("Z", "+0000"), form).timestamp()
        except ValueError:
            continue
    return default


def program(folder: Path, known: list[str]) -> list[str]:
    """The lines of a journalctl that prints what was asked for: the last lines, in a form."""
    return [
        "form=short; count=; quiet=",
        "while [ $# -gt 0 ]; do",
        '  case "$1" in',
        "  -o|--output) form=$2; shift;; --output=*) form=${1#*=};; -o*) form=${1#-o};;",
        "  -n|--lines) count=$2; shift;; --lines=*) count=${1#*=};; -n*) count=${1#-n};;",
        "  -u|--unit|-t|--identifier|-p|--priority|-S|--since|-U|--until) shift;;",
        "  esac; shift",
        "done",
        f'[ -f "{folder}/$form" ] || {{ echo "Unknown output: $form ({" ".join(known)})" >&2;'
        " exit 1; }",
        f'if [ "$count" ]; then tail -n "$count" "{folder}/$form"; else cat "{folder}/$form"; fi',
    ]
