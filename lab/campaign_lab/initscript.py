"""``nlserver6``, the init script of builds that have no unit: start, stop, restart, status.

Exit codes of ``status`` as documented: 0 all modules that are to start by themselves run, 1 one is
missing, 2 none runs, another one: it could not be found out. The text is the lab's own.
"""

from __future__ import annotations

from campaign_lab.layout import Server, write_text

NAME = "nlserver6"
TEXT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          nlserver6
# Required-Start:    $network $remote_fs
# Required-Stop:     $network $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Adobe Campaign server (stand-in)
### END INIT INFO

ACCOUNT={account}
NL={home}

nlserver() {{
    if [ "$(id -un)" = "$ACCOUNT" ]; then
        (. "$NL/env.sh" && exec "$NL/bin/nlserver" "$@")
    else
        su -s /bin/sh - "$ACCOUNT" -c ". $NL/env.sh && exec $NL/bin/nlserver $*"
    fi
}}

status() {{
    missing=$(nlserver monitor -missing) || return 3
    [ -n "$missing" ] || return 0
    if nlserver pdump | grep -q '([0-9]*) - '; then
        echo "missing: $missing"
        return 1
    fi
    echo "nothing runs"
    return 2
}}

case "$1" in
    start) nlserver watchdog -svc -noconsole ;;
    stop) nlserver shutdown ;;
    restart) nlserver shutdown; nlserver watchdog -svc -noconsole ;;
    status) status ;;
    *) echo "usage: $0 start|stop|restart|status" >&2; exit 64 ;;
esac
"""


def write(directory: str, server: Server) -> str:
    """Write it into a directory; gives its path."""
    path = directory + "/" + NAME
    write_text(path, TEXT.format(account=server.user, home=server.home.path), 0o755)
    return path
