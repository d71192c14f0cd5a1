"""serverConf.xml and the files of the instances."""

from __future__ import annotations

from hostile.table import attack
from hostile.world import Outcome, Tree

XML = "Configuration files"
REFUSED = "the file is named as unreadable, in time"


@attack(XML, "entities that multiply (billion laughs)", REFUSED, blind=("configuration",))
def billion_laughs(tree: Tree) -> None:
    lines = ['<!ENTITY a0 "lol">']
    for number in range(1, 12):
        lines.append(f'<!ENTITY a{number} "' + f"&a{number - 1};" * 10 + '">')
    write_conf(tree, "<!DOCTYPE x [" + "".join(lines) + "]>", "<mta statServerAddress='&a11;'/>")


@attack(XML, "an external entity that is root's private file", REFUSED, blind=("configuration",))
def external_entity(tree: Tree) -> None:
    secret = tree.world.canaries.log
    write_conf(
        tree, f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{secret}">]>', "<mta args='x'>&a;</mta>"
    )


@attack(XML, "entities that grow quadratically", REFUSED, blind=("configuration",))
def quadratic_entities(tree: Tree) -> None:
    big = "x" * 100000
    write_conf(tree, f'<!DOCTYPE x [<!ENTITY a "{big}">]>', "<mta args='" + "&a;" * 20000 + "'/>")


@attack(XML, "elements in elements, 300,000 deep", REFUSED, blind=("configuration",))
def deep_xml(tree: Tree) -> None:
    write_conf(tree, "", "<a>" * 300000)


@attack(
    XML,
    "an attribute of 3 MB and an element of 100,000 attributes",
    "the answer is bounded",
    blind=("configuration",),
)
def huge_attributes(tree: Tree) -> None:
    many = " ".join(f"a{number}='1'" for number in range(100000))
    write_conf(tree, "", f"<mta statServerAddress='{'x' * (3 << 20)}'/><wfserver {many}/>")


@attack(XML, "30,000 data sources", "the answer is bounded", blind=("configuration", "network"))
def many_data_sources(tree: Tree) -> None:
    one = "<dataSource name='x'><dbcnx provider='PostgreSQL' server='127.0.0.1:9'/></dataSource>"
    write_conf(tree, "", "<dataStore>" + one * 30000 + "</dataStore>", instance=True)


@many_data_sources.judged
def _the_answer_is_bounded(tree: Tree, outcome: Outcome) -> None:
    assert len(outcome.output) < 1 << 20


@attack(
    XML,
    "a file of 200 MB",
    "it is named as too large, and not as malformed",
    blind=("configuration",),
)
def huge_configuration(tree: Tree) -> None:
    write_conf(tree, "", "<!-- -->")
    with (tree.conf / "serverConf.xml").open("r+b") as stream:
        stream.truncate(200 << 20)


@huge_configuration.judged
def _told_as_too_large(tree: Tree, outcome: Outcome) -> None:
    assert "not read" in outcome.probes["configuration"]["error"]["message"]


@attack(
    XML,
    "bytes of no encoding, NUL, and unknown encodings",
    REFUSED,
    blind=("configuration",),
)
def encodings(tree: Tree) -> None:
    (tree.conf / "serverConf.xml").write_bytes(b"<?xml version='1.0' encoding='x-none'?><a/>")
    (tree.conf / "config-prod.xml").write_bytes(b"\xff\xfe<\0a\0\xff\xff\0\0")
    (tree.conf / "config-two.xml").write_bytes(b"<a b='\x00\xff'/>")


@attack(
    XML,
    "ports, addresses and times with `$(…)`, newlines, -1, 10^400 and control characters",
    "they are refused or cleaned",
    blind=("configuration",),
)
def values(tree: Tree) -> None:
    strange = "$(touch x)&#10;-rf&#9;&#x202E;"
    write_conf(
        tree,
        "",
        f"<syslogd port='{'9' * 400}'/><web httpPort='-1' controlPort='{strange}'/>"
        f"<mta statServerAddress='{strange}' args='{strange}' runLevel='1e9'>"
        f"<relay address='{strange}' port='99999'/></mta><stat port='{'9' * 30}'/>"
        f"<wfserver processRestartTime='{strange * 1000}'/>",
    )


def write_conf(tree: Tree, head: str, body: str, instance: bool = False) -> None:
    name = "config-prod.xml" if instance else "serverConf.xml"
    text = f"<?xml version='1.0'?>{head}<serverconf><shared>{body}</shared></serverconf>"
    (tree.conf / name).write_text(text)
