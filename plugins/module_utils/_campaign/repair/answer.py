# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The answer of a module that changes something, also when a guard refuses or it fails."""

from ..errors import InputError, ProbeError
from ..record.ledger import StoreError
from .guard import Refused
from .interrupted import describe_interrupted

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Optional, Protocol, Tuple, TypeVar

    from .guard import GuardedChange

    Entry = Dict[str, Any]

    class Call(Protocol):
        """What a module does in one call; it fills the result."""

        guarded: GuardedChange

        def run(self) -> None:
            """Do it."""

    class Change(Call, Protocol):
        """A call whose change can be shown."""

        def diff(self) -> Optional[Entry]:
            """Before and after, as --diff shows it; None where there is nothing to show."""

    T = TypeVar("T", bound=Call)


class Failed(Exception):
    """A change that failed; the result has the rest."""


def carry_out(
    begin: "Callable[[Entry, bool, Entry], T]",
    options: "Entry",
    check_mode: bool,
    result: "Entry",
    subject: str = "",
) -> "Tuple[Optional[T], str]":
    """Begin a call, and run it: (the call, None if it could not begin; why it failed, else empty).

    begin: makes the call, of the options, check mode and the result so far. subject: what the
    options are about, for messages.
    """
    call = None
    try:
        call = begin(options, check_mode, result)
        call.run()
    except Refused as refused:
        result.update(refused=True, guard=refused.guard, holder=refused.holder, changed=False)
        return call, "Refused (%s): %s" % (refused.guard, refused)
    except (Failed, InputError) as error:
        return call, str(error)
    except (ProbeError, StoreError) as error:
        where = "%s in %s" % (subject, options["home"]) if subject else options["home"]
        return call, "%s: %s" % (where, error)
    return call, ""


def returned(
    begin: "Callable[[Entry, bool, Entry], Change]",
    options: "Entry",
    check_mode: bool,
    diff: bool,
    result: "Entry",
    subject: str = "",
) -> "Entry":
    """Carry out the call; what the module returns: see carry_out. diff: whether it is shown."""
    call, failure = carry_out(begin, options, check_mode, result, subject)
    if call:
        told = [describe_interrupted(entry) for entry in call.guarded.interrupted]
        result["warnings"] = list(call.guarded.warnings) + told
        shown = call.diff() if diff else None
        if shown:
            result["diff"] = shown
    if failure:
        result.update(failed=True, msg=failure)
    return result


def run(
    module: "Any",
    begin: "Callable[[Entry, bool, Entry], Change]",
    result: "Entry",
    subject: str = "",
) -> None:
    """Carry out the call, and end the module's process with its result: see carry_out."""
    result = returned(begin, module.params, module.check_mode, module._diff, result, subject)
    for text in result.pop("warnings", ()):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
