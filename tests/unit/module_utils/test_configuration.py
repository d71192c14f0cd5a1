"""The XML files: merged, white-listed, or broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    configuration,
)

SERVER = """<?xml version="1.0" encoding="ISO-8859-15"?>
<serverconf>
  <shared>
    <!-- r\xe9glages -->
    <authentication internalPassword="TOP-SECRET"/>
    <dataStore><dataSource name="template"><dbcnx password="TOP-SECRET"/></dataSource></dataStore>
  </shared>
  <syslogd runLevel="0" maxFileSizeMb="20"/>
  <web httpPort="8081" autoStart="false"/>
  <mta autoStart="false" statServerAddress="stat1" maxProcessMemoryAlertMb="900"
       args="-password:TOP-SECRET -x" secretKey="TOP-SECRET">
    <relay address="relay1" port="2525" login="x" password="TOP-SECRET"/>
    <master autoStart="true"/>
  </mta>
</serverconf>
"""
DEFAULT = '<serverconf><web autoStart="true"/></serverconf>'
PROD = """<serverconf><shared><dataStore hosts="prod*">
<dataSource name="default"><dbcnx provider="PostgreSQL" server="db1:5433" login="camp"
 password="TOP-SECRET"/></dataSource></dataStore></shared>
<mta autoStart="true" statServerAddress=""/></serverconf>"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    (tmp_path / "serverConf.xml").write_text(SERVER, encoding="iso-8859-15")
    (tmp_path / "config-default.xml").write_text(DEFAULT)
    (tmp_path / "config-prod.xml").write_text(PROD)
    (tmp_path / "config-prod.xml.bak").write_text("<junk")
    return tmp_path


def module(data: Any, name: str, instance: str) -> Any:
    return next(m for m in data["modules"] if (m["module"], m["instance"]) == (name, instance))


def test_merged(conf: Path) -> None:
    data, error = configuration.load(str(conf))
    assert error == ""
    assert data["instances"] == ["default", "prod"]
    assert [(m["module"], m["instance"]) for m in data["modules"]] == [
        ("watchdog", "default"),
        ("syslogd", "default"),
        ("web", "default"),
        ("trackinglogd", "default"),
        ("stat", "prod"),
        ("mta", "prod"),
        ("tracking", "prod"),
        ("inMail", "prod"),
        ("wfserver", "prod"),
        ("export", "prod"),
        ("import", "prod"),
    ]
    mta = module(data, "mta", "prod")
    assert mta["auto_start"] is True
    assert mta["memory_warning_mb"] == 1600
    assert mta["memory_alert_mb"] == 900
    assert mta["settings"] == {
        "stat_address": "",
        "working_path": "var/$(INSTANCE_NAME)/mta/",
        "relay_host": "relay1",
        "relay_port": 2525,
        "verify_mode": False,
            "debug_path": "",
            "data_log_path": "",
        "extra_args": "",
        "working_set_mb": None,
        "waiting_messages": None,
    }
    assert (mta["unknown"], mta["switched_off"]) == ([], False)
    assert module(data, "web", "default")["auto_start"] is True
    assert module(data, "web", "default")["settings"] == {
        "http_port": 8081, "control_port": 8005, "relay_targets": [],
    }
    assert data["databases"] == [
        {"instance": "prod", "name": "default", "provider": "PostgreSQL", "server": "db1:5433"}
    ]


def test_no_secret_is_kept(conf: Path) -> None:
    assert "TOP-SECRET" not in json.dumps(configuration.load(str(conf)))
    elements = configuration.parse(SERVER.encode("iso-8859-15")).elements
    assert "TOP-SECRET" not in json.dumps(
        {name: value for name, value in elements["mta"].items() if name != "args"}
    )


def test_a_broken_file_is_data_with_its_line(conf: Path) -> None:
    (conf / "config-prod.xml").write_text(PROD.replace('statServerAddress=""', "stat"))
    data, error = configuration.load(str(conf))
    entry = data["files"][2]
    assert entry["name"] == "config-prod.xml"
    assert entry["error"]["line"] == 4
    assert "config-prod.xml, line 4: " in error
    assert data["instances"] == ["default", "prod"]
    assert data["databases"]  # what stood before the error


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"<a>\xff</a>", b'<?xml version="1.0" encoding="nonsense"?><a/>']
)
def test_what_is_no_xml(data: bytes) -> None:
    assert configuration.parse(data).error["line"] >= 0


def test_a_missing_file(conf: Path) -> None:
    (conf / "serverConf.xml").unlink()
    (conf / "config-default.xml").unlink()
    data, error = configuration.load(str(conf))
    assert [f["name"] for f in data["files"]] == ["serverConf.xml", "config-prod.xml"]
    assert data["files"][0]["error"] == {"line": None, "message": "No such file or directory"}
    assert "serverConf.xml" in error


# --- per file and per attribute -----------------------------------------------------------------

SHIPPED = """<?xml version='1.0'?>
<serverConf>
  <inMail args="" autoStart="false" processRestartTime="06:00:00"/>
  <mta args="-tracefilter:nlmta" autoStart="false" processRestartTime="06:00:00">
    <relay address="relay1,relay2" port="25"/>
    <child maxWorkingSetMb="128" maxWaitingMessages="2000" extraArgs="-verbose"/>
  </mta>
  <web httpPort="8090" processRestartTime="06:00:00"><relay>
    <url targetUrl="http://localhost:8080"/><url targetUrl="http://app1:8080"/></relay></web>
  <wfserver affinity="" autoStart="false"/>
</serverConf>
"""


def written(tmp_path: Path, server: str = SHIPPED, **instances: str) -> Any:
    """What is read of a server's files; `default` among the instances."""
    (tmp_path / "serverConf.xml").write_text(server)
    for name, text in instances.items():
        (tmp_path / f"config-{name}.xml").write_text(text)
    return configuration.load(str(tmp_path))[0]


def test_nested_elements_and_lists(tmp_path: Path) -> None:
    data = written(tmp_path, prod="<serverconf/>")
    mta = module(data, "mta", "prod")["settings"]
    assert (mta["working_set_mb"], mta["waiting_messages"]) == (128, 2000)
    assert (mta["extra_args"], mta["relay_host"]) == ("-verbose", "relay1,relay2")
    web = module(data, "web", "default")["settings"]
    assert web["relay_targets"] == ["http://localhost:8080", "http://app1:8080"]


def test_mta_has_the_arguments_that_are_shipped_where_no_file_says_others(tmp_path: Path) -> None:
    empty = '<serverconf><mta args=""/></serverconf>'
    data = written(tmp_path, "<serverConf/>", prod="<serverconf/>", own=empty)
    assert module(data, "mta", "prod")["args"] == "-tracefilter:nlmta"
    assert module(data, "mta", "own")["args"] == ""


@pytest.mark.parametrize(
    ("own", "on", "switched_off"),
    [
        ('autoStart="true"', True, False),
        ('autoStart="TRUE"', True, False),
        ('autoStart="false"', False, False),
        ('_autoStart="true"', False, True),
        ('_autoStart="false"', False, True),
        ('_autoStart="true" autoStart="true"', True, False),
        ("", False, False),
    ],
)
def test_auto_start(tmp_path: Path, own: str, on: bool, switched_off: bool) -> None:
    data = written(tmp_path, prod=f"<serverconf><mta {own}/></serverconf>")
    mta = module(data, "mta", "prod")
    assert (mta["auto_start"], mta["switched_off"]) == (on, switched_off)


@pytest.mark.parametrize(
    ("default", "prod", "on"),
    [
        ('<trackinglogd autoStart="false"/>', '<trackinglogd autoStart="true"/>', True),
        ('<trackinglogd autoStart="true"/>', '<trackinglogd autoStart="false"/>', True),
        ("", '<trackinglogd autoStart="true"/>', True),
        ('<trackinglogd autoStart="false"/>', "", False),
        ('<trackinglogd autoStart="false"/>', "<mta>", None),  # broken: it may be there
        ('<trackinglogd autoStart="true"/>', "<mta>", True),
        ('<trackinglogd _autoStart="true"/>', '<trackinglogd autoStart="true"/>', False),
    ],
)
def test_shared_modules_may_be_switched_on_by_an_instance(
    tmp_path: Path, default: str, prod: str, on: bool | None
) -> None:
    files = {
        "default": f"<serverconf>{default}</serverconf>",
        "prod": f"<serverconf>{prod}</serverconf>",
    }
    assert module(written(tmp_path, **files), "trackinglogd", "default")["auto_start"] is on


def test_what_stands_in_and_after_the_break_is_unknown(tmp_path: Path) -> None:
    cut = SHIPPED[: SHIPPED.index("<child") + 12]
    own = '<serverconf><mta autoStart="true"/><inMail autoStart="true"/></serverconf>'
    data = written(tmp_path, cut, prod=own)
    mta, inmail = module(data, "mta", "prod"), module(data, "inMail", "prod")
    assert mta["auto_start"] is True  # the instance's file says it
    assert {"args", "restart_time", "stat_address", "relay_host"} <= set(mta["unknown"])
    assert (mta["args"], mta["settings"]["stat_address"], mta["restart_time"]) == (None,) * 3
    assert (inmail["unknown"], inmail["restart_time"]) == ([], "06:00:00")
    web = module(data, "web", "default")
    assert (web["auto_start"], web["settings"]["http_port"]) == (None, None)
    (error,) = [file["error"] for file in data["files"] if file["error"]]
    assert error["line"] == 6
    assert "<mta>, opened in line 4, is not closed" in error["message"]


def test_the_sample_of_the_vendor_s_page_never_closes_mta(tmp_path: Path) -> None:
    own = """<serverconf>
        <inMail autoStart="true"/>
        <mta autoStart="true" statServerAddress="app">
        <wfserver autoStart="true"/>
      </serverconf>"""
    data = written(tmp_path, prod=own)
    assert module(data, "inMail", "prod")["auto_start"] is True
    for name in ("mta", "wfserver", "stat"):
        assert module(data, name, "prod")["auto_start"] is None
    (error,) = [file["error"] for file in data["files"] if file["error"]]
    assert error["line"] == 5
    assert "<mta>, opened in line 3, is not closed" in error["message"]


def test_a_file_that_cannot_be_opened_hides_all_that_it_may_say(tmp_path: Path) -> None:
    (tmp_path / "config-prod.xml").mkdir()
    data = written(tmp_path)
    mta = module(data, "mta", "prod")
    assert (mta["auto_start"], mta["args"]) == (None, None)


@pytest.mark.parametrize(
    ("own", "missing", "time"),
    [
        ("", True, None),
        ('<wfserver processRestartTime="04:00:00"/>', False, "04:00:00"),
        ('<wfserver processRestartTime=""/>', True, None),
    ],
)
def test_a_daily_restart_that_was_deleted(
    tmp_path: Path, own: str, missing: bool, time: str | None
) -> None:
    wfserver = module(written(tmp_path, prod=f"<serverconf>{own}</serverconf>"), "wfserver", "prod")
    assert (wfserver["restart_time_missing"], wfserver["restart_time"]) == (missing, time)


def test_an_element_that_serverconf_does_not_have_was_not_changed(tmp_path: Path) -> None:
    stat = module(written(tmp_path, prod="<serverconf/>"), "stat", "prod")
    assert (stat["restart_time_missing"], stat["restart_time"]) == (False, "06:00:00")


def test_the_file_of_a_value_is_told(tmp_path: Path) -> None:
    data = written(tmp_path, prod='<serverconf><mta args="-verbose"/></serverconf>')
    origins = module(data, "mta", "prod")["origins"]
    assert (origins["args"], origins["extra_args"]) == ("config-prod.xml", "serverConf.xml")


# --- instances ----------------------------------------------------------------------------------


def test_a_copy_of_a_configuration_is_no_instance(tmp_path: Path) -> None:
    own = PROD.replace('statServerAddress=""', "")
    written(tmp_path, prod=own, **{"prod-20261101": own})
    var = tmp_path / "var"
    (var / "prod").mkdir(parents=True)
    data, _error = configuration.load(str(tmp_path), lambda: str(var))
    assert data["instances"] == ["default", "prod"]
    assert {entry["instance"] for entry in data["modules"]} == {"default", "prod"}
    assert {entry["instance"] for entry in data["databases"]} == {"prod"}
    (copy,) = data["copies"]
    assert copy["name"] == "prod-20261101"
    assert copy["path"] == str(tmp_path / "config-prod-20261101.xml")


@pytest.mark.parametrize("sign", ["var", "named", "unknown"])
def test_signs_of_life(tmp_path: Path, sign: str) -> None:
    written(tmp_path, prod="<serverconf/>")
    if sign == "var":
        (tmp_path / "var" / "prod").mkdir(parents=True)
    var = None if sign == "unknown" else str(tmp_path / "var")
    data, _error = configuration.load(
        str(tmp_path), lambda: var, {"prod"} if sign == "named" else ()
    )
    assert (data["instances"], data["copies"]) == (["default", "prod"], [])


def test_a_copy_s_trackinglogd_is_not_switched_on(tmp_path: Path) -> None:
    written(tmp_path, copy='<serverconf><trackinglogd autoStart="true"/></serverconf>')
    data, _error = configuration.load(str(tmp_path), lambda: str(tmp_path / "var"))
    assert module(data, "trackinglogd", "default")["auto_start"] is False
