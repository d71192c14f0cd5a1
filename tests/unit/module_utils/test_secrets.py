"""Passwords in texts and command lines: gone in every form, in linear time; other text stays."""

from __future__ import annotations

import base64
import json
import os
import string
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings, strategies as st

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import secrets
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot.collect import (
    only_hides,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import (
    clean,
    mask,
    mask_arguments,
)

# Long enough that no form's own words hold one by chance.
BARE = st.text(string.ascii_letters + string.digits + "!#$%*+.?^_|~()[]{}", min_size=9, max_size=40)
BARE = BARE.filter(lambda secret: secret[0] not in "-.)" and not secret.isdigit())
QUOTED = st.text(string.printable[:95], min_size=9, max_size=40)
NAMES = (
    "password", "internalPassword", "trackingPassword", "proxyPassword", "PASSWD", "Passwort",
    "passphrase", "pwd", "clientSecret", "authIMSClientSecret", "authIMSTAClientSecret",
    "authIMSCode", "authPrivateKey", "authIMSTAPrivateKey", "phishbowlServiceAPIKey",
    "headerValue", "pstrSessionToken", "X-Security-Token", "__sessiontoken", "api_key",
    "mot de passe", "Kennwort", "senha", "contraseña", "wachtwoord", "Authorization",
)
# In each, {n} is a name and {s} the secret.
BARE_FORMS = (
    "{n}={s}", "{n} = {s}", "{n}: {s}", "{n} : {s}", "{n}\N{NO-BREAK SPACE}: {s}", "{n}:{s} x",
    "{n} => {s}", "{n}:={s}", "x?{n}={s}&user=a", "x?{n}={s}&amp;user=a", "x?{n}%3D{s}",
    "<{n}>{s}</{n}>", "<a:{n} xsi:type='xsd:string'>{s}</a:{n}>", "&lt;{n}&gt;{s}&lt;/{n}&gt;",
    "error ({n}={s}, user=a)", "{n}={s};path=/", "{n}=a,{s}", "{n}=a;{s}", "{n}=a&{s}",
)
QUOTED_FORMS = (
    ('{n}="{s}"', '"\\'), ("{n} = '{s}' x", "'\\"), ('"{n}": "{s}", "b": 1', '"\\'),
    ("'{n}': '{s}'", "'\\"), ('\\"{n}\\": \\"{s}\\"', '"\\'), ('<x {n}="{s}" login="a"/>', '"\\'),
    ("{n}=&quot;{s}&quot; x", "&"), ("<{n}>{s}</{n}>", "<"), ("<{n}><![CDATA[{s}]]></{n}>", "<"),
    ('{n}="{s}', '"\\'),
)
OPTION_FORMS = (
    "nlserver x -passphrase {s} -verbose", "x -u a:{s} https://h/", "x --user a:{s}", "x -p {s} y",
    "x -p={s}", "x -key:{s}", "x --key={s}", "x --password {s}", "x --password={s}",
    "-password {s}",
    "nlserver config -setdblogin:PostgreSQL:camp/{s}@db", "nlserver config -internalpassword:{s}",
    "nlserver config -setimsjwtauth:org/{s}", "nlserver x -login:admin/{s}", "-apiKey:{s}",
    "connect to postgresql://camp:{s}@db:5432/x", "http://:{s}@h/", "IDENTIFIED BY '{s}'",
    "alter user a password '{s}'", "https://h/nl/jsp/x.jsp?sessiontoken={s}&a=b",
    "netconf.xml: <server url='http://h/?__sessiontoken={s}'/>", "Authorization: Basic {s}",
    "authorization: Bearer {s}", "Cookie: a=b; __sessiontoken={s}; c=d",
)
LISTS: tuple[Callable[[str], list[str]], ...] = (
    lambda s: ["-passphrase", s], lambda s: ["-u", f"a:{s}"], lambda s: ["--user", f"a:{s}"],
    lambda s: ["-p", s], lambda s: [f"-key:{s}"], lambda s: ["--password", s],
    lambda s: [f"--password={s}"], lambda s: [f"-setdblogin:PostgreSQL:a/{s}@db"],
    lambda s: [f"-internalpassword:{s}"], lambda s: [f"-setimsjwtauth:{s}"],
    lambda s: [f"-login:a/{s}"], lambda s: ["-login", s], lambda s: [f"password={s}"],
    lambda s: ["-apiKey", s], lambda s: [f"--db-password={s}"], lambda s: [f"http://a:{s}@h/"],
)
# Of the vendor's logs and consoles: none of it is a secret, all of it is needed.
HARMLESS = (
    "Application server for Adobe Campaign Classic (7.3.4 build 9364@8f3ef8e of 09/04/2023)",
    "mta@instance1_mkt_stage1 (20500) - 57.3 MB",
    "Launching task 'web@default' ('nlserver web -tracefile:web@default -instance:default -detach"
    " -tomcat -autorepair') in a new process",
    "Start of the 'web@default' ('nlserver web') task in a new process",
    "Starting Web server module (pid=9376, tid=9376)...",
    "Web server start (pid=29188, tid=-1224824320)...",
    "Starting 1 connection(s) on pool 'default instance1' (postgresql, server='localhost',"
    " login='dbuser1:dbuser1')",
    "Stop requested for 'web@default' ('nlserver web -tomcat', pid=1, tid=2)...",
    "No task corresponds to the mask pipelined@prod",
    "nlserver: error while loading shared libraries: libicuuc.so.50: cannot open shared object"
    " file",
    "PInstanceSlot not found for Vault token rotate: overwriting iRc to 0",
    "'WdbcTimeZone' option is missing",
    "nlserver wfserver -tracefile:wfserver@instance1 -instance:instance1 -detach",
    "nlserver mta -verbose -tracefilter:nlmta -tracefile:mta_debug@prod",
    "nlserver tracking -instance:prod -download -update",
    "2021-05-31T08:42:18.124Z\t66462\t66501\t1\terror\tlog\tListener: JWT Token is empty."
    " (iRc=16384)",
    "PostgreSQL error: duplicate key value violates unique constraint \"xtkoperator_id\""
    " DETAIL: Key (iOperatorId)=(0) already exists. (iRc=-2006)",
    "00000000 00000000 2 info wdbc Param(0)=09/17/2020 8:55:00 PM",
    "BAS-010015 Cannot open file '/tmp/tmp8215-0000.tmp' (errno=13, Permission denied)",
    "XSV-350012 Invalid login or password. Connection denied.",
    "XSV-350008 Session has expired or is invalid. Please reconnect.",
    "SRV-810031 Bad version for the shared memory block 'NlServerContext6.0'. Current version is"
    " 106, expected version 107.",
    "RED-520025 The redirection server http://localhost/r/test cannot be reached",
    "SyntaxError: unexpected token '}'",
    "FATAL: password authentication failed for user \"neolane\"",
    "expr=\"[@internalName] = 'tracking'\" @failed=1 and @processId != 0",
    "@deliveryFromTrackingInformation='x'",
    "Approval of content requested by anna.berg@example.org (message 4711)",
    "http://host:8080/nl/jsp/logon.jsp?mail=a@b.example",
    "Job 'contacts_export' stopped on an error: Unable to open file",
    "mkdir -p /usr/local/neolane/nl6/var/tmp", "ps -p 4711", "kill -9 4711",
    "unable to locate the public key; keyboard interrupted; monkey: business",
    "su - neolane -c 'nlserver restart wfserver@prod'",
    "x -update:all -url:http://h/ -u http://h/", "journalctl -u nlserver.service since 10:00",
    "12 surpassed: 3; the tokens: 3; the passport is missing",
)


@pytest.mark.parametrize("form", BARE_FORMS)
@given(name=st.sampled_from(NAMES), secret=BARE)
@settings(max_examples=60, deadline=None)
def test_a_secret_that_is_named_is_gone(form: str, name: str, secret: str) -> None:
    name = name.replace(" ", "") if form.startswith("<") else name  # an element has none
    assert secret not in mask(f"before {form.format(n=name, s=secret)} after")
    assert secret not in clean(f"before {form.format(n=name, s=secret)} after")


@pytest.mark.parametrize(("form", "end"), QUOTED_FORMS)
@given(name=st.sampled_from(NAMES), secret=QUOTED)
@settings(max_examples=60, deadline=None)
def test_a_secret_in_quotes_is_gone(form: str, end: str, name: str, secret: str) -> None:
    name = name.replace(" ", "") if form.startswith("<") else name
    secret = secret.translate(dict.fromkeys(map(ord, end), "x")).strip()
    if len(secret) > 6:
        assert secret not in mask(f"before {form.format(n=name, s=secret)}")


@given(secret=st.text(string.printable[:95], min_size=9, max_size=40))
@settings(deadline=None)
def test_an_escaped_secret_is_gone(secret: str) -> None:
    held = json.dumps(secret)[1:-1]
    assert held not in mask(json.dumps({"password": secret, "a": 1}))
    assert "'a'" in mask(f"pwd='{secret.replace(chr(39), chr(39) * 2).replace(chr(92), '')}' 'a'")


@pytest.mark.parametrize("form", OPTION_FORMS)
@given(secret=BARE)
@settings(max_examples=60, deadline=None)
def test_a_secret_in_a_command_is_gone(form: str, secret: str) -> None:
    assert secret not in mask(form.format(s=secret))


@pytest.mark.parametrize("words", LISTS)
@example(secret="000000://")
@given(secret=QUOTED.filter(lambda secret: secret[0] not in "-/" and not secret.isdigit()))
@settings(max_examples=60, deadline=None)
def test_a_secret_among_arguments_is_gone(words: Callable[[str], list[str]], secret: str) -> None:
    if any("://" in word for word in words("")):
        secret = "".join(letter for letter in secret if letter not in "/ \"'<>")
    given = ["-verbose", *words(secret), "-instance:prod"]
    masked = mask_arguments(given)
    assert (masked[0], masked[-1], len(masked)) == ("-verbose", "-instance:prod", len(given))
    assert len(secret) < 6 or secret not in " ".join(masked)


@given(st.binary(min_size=16, max_size=48).filter(lambda data: len(data) % 3))
@settings(deadline=None)
def test_an_encrypted_value_is_gone(data: bytes) -> None:
    coded = base64.b64encode(data).decode()
    if coded.endswith("==") or any(letter in coded for letter in "0123456789+/"):
        assert coded not in mask(f"decryption of '@{coded}' failed")


def test_keys_and_tokens_are_gone() -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\nMIIdef\n-----END RSA PRIVATE KEY-----"
    assert "MII" not in mask(f"read {pem} x")
    assert "c2ln" not in mask("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl")


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text
    assert mask_arguments(text.split()) == text.split()


@given(st.text())
@settings(deadline=None)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [("-p", "/var/lib/x", "/var/lib/x"), ("-p", "8080", "8080"), ("-u", "neolane", "neolane"),
     ("-password", "-verbose", "-verbose"), ("-instance:a", "b", "b")],
)
def test_what_is_no_secret_among_arguments_stays(option: str, value: str, shown: str) -> None:
    assert mask_arguments([option, value]) == [option, shown]


# --- time -------------------------------------------------------------------------------------

UNITS = (
    "password", "pass", "-p ", "-u ", "-u a:", "-", "--", "-key", "-a", "://", "://a:", "://a:b",
    "@a", "@", "@A1", "eyJ", "eyJaaaaaaaa.", ".", "<", "<pass", "<password ", "<a:", "&", "&amp;",
    "&quot;", "password=&quot;", 'password="', "password='", "''", "\\", '\\"', "=", ":", " ",
    "password ", "password =", "a,", "a=", ",a", "token" + " " * 39, "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----", "identified ", "contrase", "x", "A1", "password=a,b&c;",
    "<x " + "a" * 60, "authorization: basic ",
)


def _seconds(call: Callable[[], object]) -> float:
    """The least of some measurements: what the work itself takes."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("end", ["", '"', "x", "\n@"])
@pytest.mark.parametrize("unit", UNITS)
def test_the_time_grows_with_the_length(unit: str, end: str) -> None:
    """Eight times the length, so about eight times the time; a square would be sixty-four."""
    short, long = (unit * (size // len(unit)) + end for size in (8_000, 64_000))
    assert _seconds(lambda: mask(long)) < max(24 * _seconds(lambda: mask(short)), 0.1)


@pytest.mark.parametrize(
    "unit", [b"a-", b'token="', b"token='", b"token ", b"token=", b"pwd", b"token" + b" " * 20]
)
def test_the_time_for_a_file_grows_with_its_length(unit: bytes) -> None:
    short, long = (unit * (size // len(unit)) for size in (40_000, 320_000))
    assert _seconds(lambda: secrets.secret_values(long)) < max(
        24 * _seconds(lambda: secrets.secret_values(short)), 0.1
    )


def test_many_known_values_cost_no_more_than_a_bounded_number() -> None:
    values = [f"{'a' * 500}{number}" for number in range(20_000)]
    known = secrets.Passwords(values)
    assert _seconds(lambda: known("a" * 100_000)) < 2.0


# --- values that are known --------------------------------------------------------------------


@given(secret=st.text(string.printable[:95], min_size=6, max_size=40))
@settings(deadline=None)
def test_a_known_value_is_gone_in_every_spelling(secret: str) -> None:
    raw = escape(secret).replace("&#x27;", "&apos;")
    known = secrets.Passwords(secrets.secret_values(f'<dbcnx password="{raw}"/>'.encode()))
    for spelled in (
        secret, raw, escape(secret), escape(secret, quote=False), quote(secret, safe=""),
        json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode(),
    ):
        assert spelled.rstrip("=") not in known(f"[{spelled}]") or len(raw) < 4


@pytest.mark.parametrize(
    "attribute",
    ["password='{}'", 'internalPassword="{}"', 'trackingPassword = "{}"', 'authPrivateKey="{}"',
     'authIMSClientSecret="{}"', 'authIMSCode="{}"', 'authIMSTAClientSecret="{}"',
     'authIMSTAPrivateKey="{}"', 'phishbowlServiceAPIKey="{}"', 'headerValue="{}"'],
)
def test_the_vendor_s_secret_attributes_are_known(attribute: str) -> None:
    data = f"<a><b x='1' {attribute.format('@aB3&amp;x==')} y='2'/> < broken".encode()
    assert secrets.secret_values(data) == ["@aB3&amp;x=="]


def test_what_is_no_secret_attribute_is_not_taken_for_one() -> None:
    data = b'<a vaultTokenPath="/etc/vault" foreignKey="email" password="" token="abc" login="me"/>'
    assert secrets.secret_values(data) == []


def test_what_is_in_the_file_of_a_vault_token_is_known(tmp_path: Path) -> None:
    """At the path of the configuration, in the home without one; never waited for, bounded."""
    conf, home = tmp_path / "conf", tmp_path / "home"
    conf.mkdir()
    home.mkdir()
    named, own = tmp_path / "a & b", home / "token"
    named.write_text("hvs.CAESIJ-named\n")
    own.write_text("  s.ownHomeToken  \n" + "x" * secrets.TOKEN_LIMIT)
    (home / ".vaulttoken").write_text("s.defaultToken\n")
    os.mkfifo(tmp_path / "fifo")
    (conf / "serverConf.xml").write_text(
        f"<shared><dataStore useVault='true' vaultUrl='x' vaultTokenPath='{escape(str(named))}'/>"
        f"<dataStore vaultTokenPath='{tmp_path}/fifo'/><dataStore vaultTokenPath='relative'/>"
    )
    (conf / "config-a.xml").write_text('<dataStore vaultTokenPath = "$(HOME)/token"/> < broken')
    entry = SimpleNamespace(pw_dir=str(home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets.pwd, "getpwuid", lambda uid: entry)
        known = secrets.passwords_in(str(conf))
    said = "login hvs.CAESIJ-named, s.ownHomeToken and s.defaultToken; token=%2Ffifo"
    assert known(said) == "login ***, *** and ***; token=%2Ffifo"


def test_paths_of_token_files_are_bounded() -> None:
    many = b"".join(b"<d vaultTokenPath='/t%d'/>" % number for number in range(10_000))
    assert len(secrets.token_paths(many)) == secrets.TOKEN_FILES
    assert secrets.token_paths(b"<a vaultTokenPath=") == []


def test_known_values_go_from_texts_and_not_from_names() -> None:
    known = secrets.Passwords(["neolane", "abc"])
    data = {"user": "neolane", "logs": [{"sample": "neolane abc", "path": "/neolane"}],
            "modules": {"arguments": ["-x", "neolane"], "count": 3}}
    assert known.hide(data) == {
        "user": "neolane", "logs": [{"sample": "*** abc", "path": "/neolane"}],
        "modules": {"arguments": ["-x", "***"], "count": 3},
    }


@pytest.mark.parametrize(
    ("text", "without", "true"),
    [
        ("a b", "a b", True), ("a pw b", "a *** b", True), ("pw", "***", True), ("", "", True),
        ("pw a pw", "*** a ***", True), ("x1y2z", "x***y***z", True), ("a b", "a c", False),
        ("a pw b", "a *** c", False), ("a pw b", "b *** b", False), ("aba", "ab***ba", False),
        ("x1y2z", "x***q***z", False), ("a", None, False), ("-verbose", "-trace***", False),
    ],
)
def test_an_answer_that_changes_more_than_it_hides_is_not_taken(
    text: str, without: object, true: bool
) -> None:
    assert only_hides(text, without) is true
