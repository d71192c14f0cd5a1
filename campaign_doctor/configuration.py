# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign-doctor.toml: what a site would otherwise type each time.

The command line wins, then the environment (CAMPAIGN_DOCTOR_...), then this file, then the default.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .errors import DoctorError
from .notify.settings import Notify, Webhook, one_or_more

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "campaign-doctor.toml"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Words = Annotated[list[str], BeforeValidator(one_or_more)]


class Settings(BaseModel):
    """The keys of the file; each has the meaning of the option of the same name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inventory: Words = []
    limit: str | None = None
    module: Words = []
    instance: Words = []
    format: str | None = None
    output: str | None = None
    utc: bool | None = None
    forks: Annotated[int, Field(ge=1)] | None = None
    every: str | None = None
    quiet: bool | None = None
    vault_id: Words = []
    vault_password_file: Words = []
    become_password_file: str | None = None
    history: str | None = None
    history_days: Annotated[float, Field(gt=0)] | None = None
    extra_vars: dict[str, Any] = {}
    notify: Notify = Notify()

    def defaults(self, folder: Path) -> dict[str, Any]:
        """By option; relative paths are meant from the file's folder."""
        known = self.model_dump(exclude_unset=True, exclude={"extra_vars", "notify"})
        for key in ("output", "become_password_file", "history"):
            if known.get(key) is not None:
                known[key] = str(_from(folder, known[key]))
        if "vault_password_file" in known:
            known["vault_password_file"] = [
                str(_from(folder, name)) for name in known["vault_password_file"]
            ]
        if "inventory" in known:
            known["inventory"] = [
                name if "," in name else str(_from(folder, name)) for name in known["inventory"]
            ]
        return {key: value for key, value in known.items() if value is not None}


class Site(NamedTuple):
    """What is not the default of an option. Relative paths are meant from the folder."""

    extra_vars: dict[str, Any]
    notify: Notify
    folder: Path


def find(warn: Callable[[str], None]) -> Path | None:
    """The file that is used when none is named: in the current directory, else the user's own."""
    here = Path(NAME).absolute()
    if here.is_file():
        if trusted(here):
            return here
        warn(f"{here} is ignored: other accounts can write to it. Use --config to read it"
             " anyway.")
    own = config_home() / NAME
    return own if own.is_file() else None


def load(path: Path) -> Settings:
    """Read the file; one clear line for each mistake."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DoctorError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise DoctorError(f"{path} is not valid TOML: {error}.") from None
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"])
            why = fault["msg"].removeprefix("Value error, ")
            known = ", ".join(_keys_beside(fault["loc"]))
            lines.append(
                f"{path}: unknown key '{where}'. There are: {known}."
                if fault["type"] == "extra_forbidden" else f"{path}: {where}: {why}."
            )
        raise DoctorError("\n".join(lines)) from None


def _keys_beside(place: tuple[int | str, ...]) -> Iterable[str]:
    """The keys that there are where an unknown one is."""
    if len(place) == 1:
        return Settings.model_fields
    return (Webhook if "webhook" in place else Notify).model_fields


def seconds(text: str) -> float:
    """A time such as 90, 30s, 5m, 2h or 1d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not found:
        raise ValueError(f"'{text}' is not a time; write 30s, 5m, 2h or 1d")
    return float(found[1]) * UNITS[found[2] or "s"]


def config_home() -> Path:
    """Where the user's configuration is (XDG)."""
    return _xdg("XDG_CONFIG_HOME", "~/.config")


def state_home() -> Path:
    """Where the history is, when nothing else is said (XDG)."""
    return _xdg("XDG_STATE_HOME", "~/.local/state") / "campaign-doctor"


def _xdg(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification ignores relative paths.
    return Path(given) if given.startswith("/") else Path(otherwise).expanduser()


def _from(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()


def trusted(path: Path) -> bool:
    """Whether only this account or root can have written it, because it decides what is run."""
    for place in (path, path.parent):
        status = place.stat()
        if status.st_uid not in (0, os.getuid()) or status.st_mode & stat.S_IWOTH:
            return False
    return True
