# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the account's probes may answer: the shapes of their data (see account/answers.py)."""

from ..account.answers import Maybe

TEXT, NUMBER, TIME = Maybe(str), Maybe(int), Maybe(float)
ERROR = {"line": NUMBER, "message": str}
MODULE = {
    "module": str, "instance": str, "auto_start": Maybe(bool), "switched_off": bool,
    "run_level": NUMBER, "args": TEXT, "restart_time": TEXT, "restart_time_missing": bool,
    "memory_warning_mb": NUMBER, "memory_alert_mb": NUMBER, "settings": {str: object},
    "unknown": [str], "origins": {str: str},
}  # fmt: skip
DATABASE = {"name": TEXT, "provider": TEXT, "server": TEXT, "instance": str}
CONFIGURATION = {
    "files": [{"path": str, "name": str, "mtime_at": TIME, "size_bytes": NUMBER,
               "error": Maybe(ERROR)}],
    "instances": [str],
    "modules": [MODULE],
    "databases": [DATABASE],
    "copies": [{"name": str, "path": str, "modules": [MODULE], "databases": [DATABASE]}],
    "syslogd_port": NUMBER,
    "syslogd_port_from": str,
}  # fmt: skip
TASK = {"module": str, "instance": str, "pid": int, "memory_mb": TIME}
GROUP = {
    "signature": str, "level": str, "count": int, "first_at": float, "last_at": float,
    "sample": str, "codes": [str], "category": str, "event": str, "went_on": bool,
}  # fmt: skip
LOG = {
    "module": str, "instance": str, "path": str, "exists": bool, "size_bytes": NUMBER,
    "mtime_at": TIME, "writable": Maybe(bool), "encoding": TEXT, "truncated": bool,
    "lines": int, "bad_lines": int, "future_lines": int, "future_at": TIME, "first_at": TIME,
    "last_at": TIME,
    "last_reload_at": TIME,
    "pids": [{"pid": int, "first_at": float, "last_at": float, "stopped": bool}],
    "groups": [GROUP],
}  # fmt: skip
DIRECTORY = {
    "path": str, "exists": bool, "writable": Maybe(bool), "owner": TEXT, "mode": TEXT,
}  # fmt: skip
MOUNT = {
    "path": str, "role": str, "device": int, "used_percent": TIME, "free_mb": float,
    "inodes_used_percent": TIME, "read_only": bool,
}  # fmt: skip
FILE = {"path": str, "mtime_at": float, "size_bytes": int}
JOB = {
    "name": str, "kind": str, "instance": str, "operator": TEXT, "running": Maybe(bool),
    "result": Maybe(FILE),
    "rejects": Maybe({"path": str, "lines": int, "more": bool, "mtime_at": float}),
    "last_start_at": TIME, "last_end_at": TIME,
    "last_error": Maybe({"sample": str, "codes": [str], "at": float}),
}  # fmt: skip
ACCOUNT = {
    "environment": {"var_dir": str, "tmp_dir": str, "jdk_home": TEXT},
    "configuration": CONFIGURATION,
    "pdump": {"build": TEXT, "header": TEXT, "tasks": [TASK], "unrecognised": [str],
              "return_code": int},
    "missing": {"modules": [{"module": str, "instance": str}], "return_code": NUMBER},
    "logs": {"logs": [LOG], "directories": [DIRECTORY]},
    "storage": {
        "mounts": [MOUNT],
        "core_files": [FILE],
        "pid_file": Maybe({"path": str, "pid": NUMBER}),
        "spool": [{"instance": str, "path": str, "files": int, "oldest_at": TIME,
                   "newest_at": TIME}],
        "redirection": [{"instance": str, "log_files": int, "log_bytes": int, "newest_at": TIME,
                         "url_newest_at": TIME, "corrupt_lines": int,
                         "corrupt": [{"path": str, "line": int, "mtime_at": float}],
                         "unread_bytes": int, "unreadable_files": int,
                         "unreadable": [{"path": str, "mode": str}]}],
        "quota_files": [{"path": str, "mtime_at": TIME}],
        "front_files": Maybe([str]),
    },
    "jobs": {"jobs": [JOB]},
}  # fmt: skip
