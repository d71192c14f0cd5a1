"""What a site may do, and must not be refused."""

from __future__ import annotations

from pathlib import Path

from hostile.table import EVIDENCE, MOVE_TMP, attack
from hostile.world import PDUMP, Outcome, Tree

ALLOWED = "What a site may do, and must not be refused"


@attack(ALLOWED, "the installation is reached through a link", "all probes answer")
def home_is_a_link(tree: Tree) -> None:
    tree.home.rename(tree.root / "nl6-7.0")
    tree.home.symlink_to("nl6-7.0")


@home_is_a_link.judged
def _pdump_was_read(tree: Tree, outcome: Outcome) -> None:
    assert [task["module"] for task in outcome.data("pdump")["tasks"]] == ["syslogd"]


@attack(ALLOWED, "`var` is a link to another disk", "its logs are read")
def var_on_another_disk(tree: Tree) -> None:
    tree.var.rename(tree.root / "disk")
    tree.var.symlink_to(tree.root / "disk")


@var_on_another_disk.judged
def _the_log_was_read(tree: Tree, outcome: Outcome) -> None:
    log = next(log for log in outcome.data("logs")["logs"] if log["module"] == "mta")
    assert log["lines"] == 3, log


@attack(ALLOWED, "`XTK_VAR_DIR` leads elsewhere", "its logs are read")
def var_dir_elsewhere(tree: Tree) -> None:
    tree.var.rename(tree.root / "elsewhere")
    tree.export(f"export XTK_VAR_DIR={tree.root}/elsewhere")


var_dir_elsewhere.judged(_the_log_was_read)


@attack(
    ALLOWED,
    "a log, its folder and a configuration file are links of the site's to files that the account"
    " may read",
    "they are read",
)
def own_links(tree: Tree) -> None:
    tree.logs.rename(tree.root / "logs")
    tree.logs.symlink_to(tree.root / "logs")
    shared = tree.root / "shared.xml"
    (tree.conf / "serverConf.xml").rename(shared)
    (tree.conf / "serverConf.xml").symlink_to(shared)
    (tree.root / "logs" / "mta.log").rename(tree.root / "mta-today.log")
    (tree.root / "logs" / "mta.log").symlink_to(tree.root / "mta-today.log")


own_links.judged(_the_log_was_read)


@own_links.judged
def _the_configuration_was_read(tree: Tree, outcome: Outcome) -> None:
    assert outcome.data("configuration")["modules"], outcome.output


@attack(
    ALLOWED,
    "`customer.sh` adds to `PATH` and `LD_LIBRARY_PATH`, as the vendor says, and there is no"
    " customer.sh at all on others",
    "nlserver gets them",
)
def customer_sh_of_a_site(tree: Tree) -> None:
    tree.export(
        f"export PATH=$PATH:{tree.root}/tools LD_LIBRARY_PATH=/opt/oracle JDK_HOME=/opt/jdk"
    )
    tree.nlserver_does(
        f'echo "$LD_LIBRARY_PATH $JDK_HOME" > {tree.baits}/got\ncat <<"END"\n{PDUMP}END'
    )


@customer_sh_of_a_site.judged
def _nlserver_got_them(tree: Tree, outcome: Outcome) -> None:
    assert (tree.baits / "got").read_text() == "/opt/oracle /opt/jdk\n"
    assert outcome.data("environment")["jdk_home"] == "/opt/jdk"


@attack(
    ALLOWED, "evidence and ledger of an ordinary server", "they are written, and root's", EVIDENCE
)
def ordinary_evidence(tree: Tree) -> None:
    tree.log.write_text(tree.line("failed"))


@ordinary_evidence.judged
def _evidence_is_roots(tree: Tree, outcome: Outcome) -> None:
    answer = outcome.answer
    assert not answer.get("failed"), answer
    kept = Path(answer["evidence"])
    names = {path.name for path in kept.iterdir()}
    assert "log-mta@prod.txt" in names, names
    for path in (Path(answer["state_dir"]), kept, *kept.iterdir()):
        assert path.stat().st_uid == 0, path
        assert path.stat().st_mode & 0o077 == 0, path


@attack(
    ALLOWED,
    "`TMPDIR` is moved to the device of the spool",
    "the folder and the line in `customer.sh` are made, as the account's",
    MOVE_TMP,
)
def ordinary_move_of_tmp(tree: Tree) -> None:
    (tree.var / "prod" / "mta").mkdir()
    tree.export("export JDK_HOME=/opt/jdk")


@ordinary_move_of_tmp.judged
def _it_was_moved(tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer.get("changed"), outcome.output
    customer = tree.home / "customer.sh"
    assert customer.read_text().endswith(f"TMPDIR={tree.var}/tmp\n")
    for path in (customer, tree.var / "tmp"):
        assert path.stat().st_uid == tree.world.account.pw_uid


@attack(
    ALLOWED,
    "`campaign_state_dir` is a folder of root's elsewhere",
    "ledger and lock are kept there",
    EVIDENCE,
    options=lambda tree: {"state_dir": str(tree.world.base / "state" / "here")},
)
def state_dir_elsewhere(tree: Tree) -> None:
    tree.log.write_text(tree.line("failed"))


@state_dir_elsewhere.judged
def _it_is_kept_there(tree: Tree, outcome: Outcome) -> None:
    where = tree.world.base / "state" / "here"
    assert outcome.answer["state_dir"] == str(where), outcome.output[:2000]
    assert (where / "ledger.jsonl").exists()
    assert where.stat().st_mode & 0o077 == 0
