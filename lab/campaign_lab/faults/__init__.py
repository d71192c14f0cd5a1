"""The lab's faults: ``labctl faults | break FAULT | heal FAULT``.

One file per area. How a fault is built: base.py. What is broken now: ``var/.lab/broken.json`` of
the server, or ``broken.json`` of the lab for what is outside all servers.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Iterator, List, Optional, Tuple, Type

from campaign_lab.faults import (
    api,
    configuration,
    jobs,
    logs,
    mail,
    processes,
    site,
    tracking,
    undo,
    web,
    workflows,
)
from campaign_lab.faults.base import Book, Fault, Work
from campaign_lab.faults.system import FaultError, wait_until
from campaign_lab.lab import Lab
from campaign_lab.layout import Server, default_instance, read_json
from campaign_lab.process import running

AREAS = (processes, logs, configuration, site, web, api, mail, tracking, workflows, jobs)
FAULTS: Dict[str, Type[Fault]] = {
    kind.name: kind for area in AREAS for kind in Fault.registry.values()
    if kind.__module__ == area.__name__ and kind.seen
}
HEAL_SECONDS = 60.0


def names() -> Iterator[Tuple[str, str, str]]:
    """Name, scope and description of each fault, by area."""
    for name, kind in FAULTS.items():
        yield name, kind.scope, kind.summary


def break_(spec: str, server: Server, instance: str = "", module: str = "") -> List[str]:
    """Break something; gives lines that say what was done.

    Args:
        spec: ``module_killed``, ``module_killed:wfserver``, ``module_killed:wfserver@prod`` or
            ``disk_full@prod``.
    """
    lab = Lab(server.root)
    name, module, instance = _parsed(spec, module, instance)
    kind = _kind(name)
    if kind.of_front and not server.has_front:
        raise FaultError("%s has no web server in front" % server.name)
    module, instance = _target(kind, server, module, instance)
    label = _label(kind, module, instance)
    book = _book(kind, lab, server)
    fault = kind()
    said = []
    if label in book.entries:
        if fault.present(Work(lab, server, book.entries[label], book.save)):
            return ["%s: %s is broken already" % (server.name, label)]
        _heal_entry(lab, server, book, label)
        said.append("%s: %s was repaired meanwhile, what was left of it is cleared" % (
            server.name, label))
    entry: Dict[str, Any] = {
        "fault": name, "module": module, "instance": instance, "at": time.time(), "undo": [],
        "notes": {}, "server": server.name,
    }  # fmt: skip
    book.entries[label] = entry
    book.save()
    work = Work(lab, server, entry, book.save)
    try:
        fault.strike(work)
        wait_until(lambda: fault.present(work), fault.seconds, label)
    except (FaultError, OSError) as error:
        try:
            _heal_entry(lab, server, book, label)
        except FaultError as left:
            raise FaultError("%s: %s; not undone either: %s" % (label, error, left)) from None
        raise FaultError("%s: %s" % (label, error)) from None
    return [*said, "%s: %s: %s" % (server.name, label, kind.summary)]


def heal(
    spec: Optional[str], server: Server, instance: str = "", module: str = ""
) -> List[str]:
    """Undo a fault, or all of them without a spec, the last one first; gives what was done."""
    lab = Lab(server.root)
    everything = spec in (None, "", "--all", "all")
    name, module, instance = ("", "", "") if everything else _parsed(str(spec), module, instance)
    if name:
        _kind(name)
    said = []
    for book in (Book.of(server), Book.of_lab(lab)):
        chosen = [label for label, entry in book.entries.items()
                  if everything or _matches(entry, name, module, instance)]
        for label in sorted(chosen, key=lambda each: -float(book.entries[each]["at"])):
            owner = lab.servers.get(book.entries[label]["server"], server)
            _heal_entry(lab, owner, book, label)
            said.append("%s: %s healed" % (owner.name, label))
    if not said and name:
        said.append("%s: %s is not broken" % (server.name, spec))
    return said


def broken(server: Server) -> List[str]:
    """What is broken now, the oldest first."""
    entries = {**Book.of_lab(Lab(server.root)).entries, **Book.of(server).entries}
    return sorted(entries, key=lambda label: float(entries[label]["at"]))


def _heal_entry(lab: Lab, server: Server, book: Book, label: str) -> None:
    entry = book.entries[label]
    work = Work(lab, server, entry, book.save)
    fault = FAULTS[entry["fault"]]()
    began = time.time()
    while entry["undo"]:
        step, values = entry["undo"][-1]
        try:
            undo.run(lab, server, step, values)
        except OSError as error:
            raise FaultError("%s: %s: %s" % (label, step, error)) from None
        entry["undo"].pop()
        book.save()
    if fault.rereads:
        _restart_between(lab, server, entry["at"], began)
    wait_until(lambda: fault.healed(work), HEAL_SECONDS, "%s is healed" % label)
    del book.entries[label]
    book.save()


def _restart_between(lab: Lab, server: Server, first: float, last: float) -> None:
    """Restart what started while the configuration was wrong."""
    for task in running(server.home):
        if task.module in processes.SUPERVISED:
            started = float(read_json(task.path)["started_at"])
            if first < started < last:
                undo.run(lab, server, "restart", {"module": task.module, "instance": task.instance})


def _parsed(spec: str, module: str, instance: str) -> Tuple[str, str, str]:
    what, _, within = spec.partition("@")
    name, _, named = what.partition(":")
    return name, named or module, within or instance


def _kind(name: str) -> Type[Fault]:
    if name not in FAULTS:
        raise FaultError("no fault '%s'; 'labctl faults' lists them" % name)
    return FAULTS[name]


def _target(kind: Type[Fault], server: Server, module: str, instance: str) -> Tuple[str, str]:
    """The module and instance that a fault is done to."""
    if module and kind.scope != "module":
        raise FaultError("%s is no fault of a module" % kind.name)
    if instance and instance not in (*server.instances, "default"):
        raise FaultError("%s has no instance '%s'; there are: %s" % (
            server.name, instance, " ".join(server.instances)))
    if kind.scope == "module":
        module = module or kind.modules[0]
        if module not in kind.modules:
            raise FaultError("%s cannot be done to '%s', but to: %s" % (
                kind.name, module, " ".join(sorted(kind.modules))))
        if default_instance(module):
            return module, "default"
    if not instance or instance == "default":
        instance = server.instances[0]
    return module, instance


def _label(kind: Type[Fault], module: str, instance: str) -> str:
    if kind.scope == "module":
        return "%s:%s@%s" % (kind.name, module, instance)
    return "%s@%s" % (kind.name, instance) if kind.scope == "instance" else kind.name


def _book(kind: Type[Fault], lab: Lab, server: Server) -> Book:
    return Book.of_lab(lab) if kind.scope == "machine" else Book.of(server)


def _matches(entry: Dict[str, Any], name: str, module: str, instance: str) -> bool:
    return (entry["fault"] == name and module in ("", entry["module"])
            and instance in ("", entry["instance"], "default"))


__all__ = ["AREAS", "FAULTS", "FaultError", "break_", "broken", "heal", "names"]
