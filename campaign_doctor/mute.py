# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""mute and unmute: write `campaign_muted` into the inventory, after showing the change."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from . import checking, inventories, questions
from .base import consoles, warn
from .errors import DoctorError
from .explain import catalogue
from .inventories import ENCRYPTED, Inventory, Place
from .muted import NAME, CannotChangeError, added, entries, removed
from .options import Check, InventoryOptions, Yes
from .outcome import ExitCode
from .reasons import NAME_ONE
from .shared import words

UNCHANGED = "Nothing was changed."

Edit = Callable[[str, Place], str]


def keys(incomplete: str) -> list[str]:
    """Completion of a finding's key."""
    return [each.key for each in catalogue().problems if each.key.startswith(incomplete)]


Key = Annotated[str, typer.Argument(
    metavar="KEY", help="Key of a finding, such as host.disk_filling.", autocompletion=keys,
)]
OneHost = Annotated[str | None, typer.Option(
    "--host", metavar="HOST", help="Only on this host; by default on all of the inventory.",
)]
Instance = Annotated[str | None, typer.Option(
    "--instance", metavar="INSTANCE", help="Only for this instance.",
)]
Until = Annotated[str | None, typer.Option(
    "--until", metavar="DATE", help="The last day, such as 2026-12-31, or a moment.",
)]
Reason = Annotated[str | None, typer.Option(
    "--reason", metavar="TEXT", help="Why, for whoever reads the plan; a change or a ticket.",
)]


@dataclass(frozen=True)
class Muting:
    """What is muted, where the inventory is, and how it is asked for."""

    key: str
    host: str | None
    instance: str | None
    inventory: list[str] = field(default_factory=list)
    extra: Mapping[str, Any] = field(default_factory=dict)
    yes: bool = False
    check: bool = False


def mute(
    context: typer.Context, key: Key, files: InventoryOptions, host: OneHost = None,
    instance: Instance = None, until: Until = None, reason: Reason = None, yes: Yes = False,
    check: Check = False,
) -> int:
    """Mute a known finding until a day: writes campaign_muted into the inventory's files."""
    what = Muting(key, host, instance, files.inventory, context.obj.extra_vars, yes=yes, check=check)
    end = _end(until)
    if not (reason or "").strip():
        raise DoctorError(f"Why is it muted? --reason is missing: a change or a ticket. {UNCHANGED}")
    entry = {"key": key, "host": host, "instance": instance, "until": end, "reason": reason}
    return _change(what, partial(_muted, what, entry))


def unmute(
    context: typer.Context, key: Key, files: InventoryOptions, host: OneHost = None,
    instance: Instance = None, yes: Yes = False, check: Check = False,
) -> int:
    """Take a mute back: removes it from campaign_muted in the inventory's files."""
    what = Muting(key, host, instance, files.inventory, context.obj.extra_vars, yes=yes, check=check)
    return _change(what, partial(_unmuted, what))


def _end(text: str | None) -> date | str:
    """The end as it is written: a day, or a moment. Raises DoctorError."""
    if not text:
        raise DoctorError(f"Until when? --until is missing: a day such as 2026-12-31. {UNCHANGED}")
    try:
        if len(text) == len("2026-12-31"):
            day = date.fromisoformat(text)
            end = datetime.combine(day + timedelta(days=1), datetime.min.time()).astimezone()
            found: date | str = day
        else:
            zulu = text.endswith("Z")
            end = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" * zulu).astimezone()
            found = text
    except (ValueError, OverflowError):
        raise DoctorError(
            f"--until {text} is neither a day, such as 2026-12-31, nor a moment, such as"
            f" 2026-12-31T06:00. {UNCHANGED}"
        ) from None
    if end <= datetime.now(timezone.utc):
        raise DoctorError(f"--until {text} is in the past. {UNCHANGED}")
    return found


# --- what is written --------------------------------------------------------------------------


def _muted(what: Muting, entry: Mapping[str, Any], text: str, place: Place) -> str:
    """The text with the entry; one for the same finding is replaced."""
    alone = place.hosts == {what.host}  # the file is the host's own
    own = {name: value for name, value in entry.items()
           if value is not None and not (name == "host" and alone)}  # fmt: skip

    def same(each: Mapping[str, Any]) -> bool:
        host = each.get("host") or (what.host if alone else None)
        return (each.get("key"), host, each.get("instance") or None) == (
            what.key, what.host, what.instance
        )

    return added(removed(text, same, place.where), own, place.where)


def _unmuted(what: Muting, text: str, place: Place) -> str:
    """The text without the mutes of the finding. Raises DoctorError if others need one of them."""
    for each in entries(text, place.where) or []:
        if _fits(what, each) and what.host and not each.get("host") and len(place.hosts) > 1:
            raise DoctorError(
                f"The mute of {what.key} in {place.path} holds for {len(place.hosts)} hosts: without"
                f" --host it ends for all of them. {UNCHANGED}"
            )
    return removed(text, partial(_fits, what), place.where)


def _fits(what: Muting, each: Mapping[str, Any]) -> bool:
    return (
        isinstance(each, Mapping) and each.get("key") == what.key
        and (not what.host or each.get("host") in (None, "", what.host))
        and (not what.instance or each.get("instance") == what.instance)
    )


def _change(what: Muting, edit: Edit) -> int:
    """Show the change of each file, ask, and write."""
    known = [problem.key for problem in catalogue().problems]
    _refuse(checking.refusal_of_many("key of a finding", what.key, known))
    if NAME in what.extra:
        raise DoctorError(f"{NAME} is in [extra_vars] of the configuration, which holds whatever the"
                          f" inventory says: change it there. {UNCHANGED}")  # fmt: skip
    if not what.inventory:
        raise DoctorError(NAME_ONE)
    inventory = Inventory(what.inventory)
    if what.host is not None:
        _refuse(checking.refusal_of_many("host of the inventory", what.host, inventory.hosts))
    texts: dict[Path, tuple[str, str]] = {}
    for place in _places(what, inventory):
        before = _content(place.path)
        try:
            after = edit(texts.get(place.path, (before, before))[1], place)
        except CannotChangeError as error:
            raise DoctorError(f"{place.path}: {error}. {UNCHANGED}") from None
        texts[place.path] = (before, after)
    return _written(what, inventory, {path: both for path, both in texts.items() if both[0] != both[1]})


def _places(what: Muting, inventory: Inventory) -> list[Place]:
    """Where it has to be written to hold for the host, or for all."""
    found: list[Place] = []
    nowhere = False
    for host in [what.host] if what.host else inventory.hosts:
        place = inventory.place(host)
        nowhere = nowhere or place is None
        if place is not None and place not in found:
            found.append(place)
    if nowhere and what.host:
        found.append(Place(inventory.default("host_vars", what.host), (), frozenset({what.host})))
    elif nowhere:
        path = inventory.default("group_vars", "all")
        found.append(Place(path, (), frozenset(inventory.hosts)))
    return found


def _content(path: Path) -> str:
    """What a file says; nothing if it is new."""
    text = inventories.content(path) if path.exists() else ""
    if text.startswith(ENCRYPTED):
        raise DoctorError(f"{path} is encrypted: change it with ansible-vault edit {path}. {UNCHANGED}")
    if path.suffix == ".json":
        raise DoctorError(f"{path} is JSON, which is not changed from here. {UNCHANGED}")
    return text


def _written(what: Muting, inventory: Inventory, texts: Mapping[Path, tuple[str, str]]) -> int:
    """Show the changes and, once they are agreed to, write them."""
    out = consoles()[0]
    if not texts:
        warn(f"There is no such mute. {UNCHANGED}")
        return ExitCode.HEALTHY
    for path, (before, after) in texts.items():
        for line in _diff(path, before, after):
            out.print(line, soft_wrap=True)
    if what.check:
        return ExitCode.HEALTHY
    done: list[str] = []
    try:
        if not (what.yes or _agreed()):
            warn(UNCHANGED)
            return ExitCode.NOT_RUN
        for path, (before, after) in texts.items():
            if _content(path) != before:
                raise DoctorError(f"{path} has changed meanwhile. Written: {_listed(done)}.")
            inventories.replace(path, after, inventory.mode)
            done.append(str(path))
    except OSError as error:
        raise DoctorError(
            f"{path} cannot be written: {error.strerror or error}. Written: {_listed(done)}."
        ) from None
    except KeyboardInterrupt:  # typer would end silently
        warn(f"\nInterrupted. {f'Written: {_listed(done)}.' if done else UNCHANGED}")
        return ExitCode.INTERRUPTED
    warn(f"Written: {_listed(done)}.")
    return ExitCode.HEALTHY


def _agreed() -> bool:
    """Ask; anything but yes means no. Raises DoctorError without a terminal."""
    if not sys.stdin.isatty():
        raise DoctorError("There is no terminal to ask for confirmation, so nothing is changed."
                          " --yes agrees beforehand, --check only shows the change.")  # fmt: skip
    return questions.agrees(consoles()[1], "Write this?")


def _diff(path: Path, before: str, after: str) -> Iterable[Text]:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="")
    for line in lines:
        yield Text(words.clean(line), style=styles.get(line[0], ""))


def _listed(done: list[str]) -> str:
    return ", ".join(done) or "nothing"


def _refuse(why: str | None) -> None:
    if why:
        raise DoctorError(f"{why} {UNCHANGED}")
