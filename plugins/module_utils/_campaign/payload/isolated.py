# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The snapshot is taken by a child process, so that its total time holds whatever hangs.

This file is all that the waiting process loads: a child shares the memory of its parent, and
both pay for every page of it that one of them touches.
"""

import json
import time

from ..command import in_child
from ..errors import InputError

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional, Tuple

    Entry = Dict[str, Any]

SPARE = 0.5  # seconds that the child has beyond the total time, for its answer
REFUSAL = 10.0  # seconds to refuse a total time that is none


def answered(options: "Entry") -> "Entry":
    """What campaign_info returns."""
    snapshot, bad_input = take(options)
    if bad_input:
        return {"failed": True, "msg": bad_input}
    return {"changed": False, "snapshot": snapshot}


def take(options: "Entry") -> "Tuple[Optional[Entry], Optional[str]]":
    """(snapshot, None), or (None, one line on the bad input).

    The total time holds even if this machine's disks do not answer: see command.in_child.
    """
    started = time.monotonic()

    def work() -> bytes:
        try:
            from ..snapshot import collect as snapshot

            snapshot.check_options(options)
            answer: "Entry" = {"snapshot": snapshot.collect(options, started)}
        except InputError as error:
            answer = {"input_error": str(error)}
        except Exception:
            import traceback  # late: it takes as long as a probe

            answer = {"defect": traceback.format_exc()}
        return json.dumps(answer).encode("ascii")

    limit = options["timeout"] if options["timeout"] > 0 else REFUSAL
    data: "Optional[bytes]" = in_child(work, limit + SPARE)
    if data is None:
        from ..snapshot import collect as snapshot

        return snapshot.unanswered(options, started), None
    answer = json.loads(data.decode("ascii") or '{"defect": "the collecting process died"}')
    if "defect" in answer:
        raise RuntimeError(answer["defect"])
    return answer.get("snapshot"), answer.get("input_error")
