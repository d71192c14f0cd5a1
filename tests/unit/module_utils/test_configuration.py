"""The XML files: merged, white-listed, or broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils import configuration

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
    data, error = configuration.load(str(conf), 0)
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
    }
    assert module(data, "web", "default")["auto_start"] is True
    assert module(data, "web", "default")["settings"] == {"http_port": 8081, "control_port": 8005}
    assert data["databases"] == [
        {"instance": "prod", "name": "default", "provider": "PostgreSQL", "server": "db1:5433"}
    ]


def test_no_secret_is_kept(conf: Path) -> None:
    assert "TOP-SECRET" not in json.dumps(configuration.load(str(conf), 0))
    values, _error = configuration.parse(SERVER.encode("iso-8859-15"))
    assert "TOP-SECRET" not in json.dumps(
        {name: value for name, value in values["mta"].items() if name != "args"}
    )


@pytest.mark.parametrize(
    ("attribute", "option", "port", "origin"),
    [
        ("", 0, 666, "default"),
        ('port="6666"', 0, 6666, "serverConf.xml"),
        ('port="6666"', 10666, 10666, "option"),
        ('port="x"', 0, 666, "default"),
    ],
)
def test_port_of_syslogd(
    conf: Path, attribute: str, option: int, port: int, origin: str
) -> None:
    text = SERVER.replace("<syslogd", "<syslogd " + attribute)
    (conf / "serverConf.xml").write_text(text, encoding="iso-8859-15")
    data, _error = configuration.load(str(conf), option)
    assert (data["syslogd_port"], data["syslogd_port_from"]) == (port, origin)


def test_a_broken_file_is_data_with_its_line(conf: Path) -> None:
    (conf / "config-prod.xml").write_text(PROD.replace('statServerAddress=""', "stat"))
    data, error = configuration.load(str(conf), 0)
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
    assert configuration.parse(data)[1]["line"] >= 0


def test_a_missing_file(conf: Path) -> None:
    (conf / "serverConf.xml").unlink()
    (conf / "config-default.xml").unlink()
    data, error = configuration.load(str(conf), 0)
    assert [f["name"] for f in data["files"]] == ["serverConf.xml", "config-prod.xml"]
    assert data["files"][0]["error"] == {"line": None, "message": "No such file or directory"}
    assert "serverConf.xml" in error
