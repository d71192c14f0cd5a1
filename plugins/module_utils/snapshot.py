# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probes, and the snapshot they fill in. Nothing here judges."""

import os
import pwd
import re
import time

from ansible_collections.campaign.remediation.plugins.module_utils import (
    command,
    configuration,
    declarations,
    jobs,
    logs,
    network,
    parsers,
    proc,
    storage,
)
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    ALWAYS,
    DEFAULT,
    HOST_PROBES,
    LEDGER_LISTS,
    MODULES,
    PROBES,
    InputError,
    ProbeError,
    clean,
    number,
    state_directory,
)

SCHEMA = 1
GRACE = 0.15  # what is left for the answer itself, out of the total time
API_GRACE = 0.5  # for the probe that asks the API, to tell what it got until its time was over
STAT_PORT = configuration.SETTINGS["stat"]["port"][1]
UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,PIDFile"
NO_CREDENTIALS = (
    "without credentials of the server's API (campaign_api) nothing is seen of workflows,"
    " deliveries, jobs and operators in the database"
)
INIT_SCRIPTS = ("/etc/init.d/nlserver6", "/etc/init.d/nlserver")


class Context(object):
    """What the probes share: the options, the account, values worked out once."""

    def __init__(self, options, account, run=None):
        self.options = options
        self.account = account
        self.home = os.path.realpath(options["home"])
        self.now = time.time()
        self.runner = run or command.Runner(
            account.pw_name,
            account.pw_dir,
            None if os.geteuid() == account.pw_uid else (account.pw_uid, account.pw_gid),
        )
        self.once = command.Once()
        self.variables = {}
        self.environment_error = None
        self.configuration_problem = None
        self.configuration = {"instances": [DEFAULT], "modules": [], "databases": []}
        self.instances = [DEFAULT]
        self.limit = options["probe_timeout"]
        self.end = time.monotonic() + 3600  # when all of it must be over

    def seconds_for(self, probe):
        """How long a probe may take: the API has a limit of its own."""
        return self.options["api_timeout"] + API_GRACE if probe == "api" else self.limit

    # ------------------------------------------------------------------ what is where

    @property
    def var_dir(self):
        return self.variables.get("XTK_VAR_DIR") or os.path.join(self.home, "var")

    @property
    def tmp_dir(self):
        return self.variables.get("TMPDIR") or "/tmp"

    def settings(self, module, instance=DEFAULT):
        for entry in self.configuration["modules"]:
            if entry["module"] == module and entry["instance"] == instance:
                return entry["settings"]
        return {}

    def per_instance(self, module):
        """(instance, settings) of each asked instance."""
        return [
            (instance, self.settings(module, instance))
            for instance in self.instances
            if instance != DEFAULT
        ]

    @property
    def front_url(self):
        url = self.options["front_url"]
        return "http://" + self.options["address"] if url is None else url.rstrip("/")

    @property
    def tomcat_url(self):
        port = self.settings("web").get("http_port") or 8080
        return (
            self.options["tomcat_url"] or "http://%s:%d" % (self.options["address"], port)
        ).rstrip("/")

    def expected_ports(self):
        """The ports that the configuration and the caller say."""
        web = self.settings("web")
        ports = {
            "syslogd": self.configuration.get("syslogd_port") or 666,
            "web": web.get("http_port", 8080),
            "web_control": web.get("control_port", 8005),
        }
        for instance, settings in self.per_instance("stat"):
            ports["stat@" + instance] = settings.get("port") or STAT_PORT
        if self.front_url:
            ports["front"] = network.split_url(self.front_url)[2]
        return ports

    def interesting_ports(self):
        """Those, the ones that syslogd and a web server may hold instead, and Tomcat's."""
        ports = {666, 6666, 80, 443, network.split_url(self.tomcat_url)[2]}
        ports.update(self.expected_ports().values())
        return ports

    # ------------------------------------------------------------ values for several probes

    def table(self):
        return self.once.get("table", lambda: proc.scan(self.home))

    def processes(self):
        return self.once.get(
            "processes", lambda: proc.processes(self.table(), self.runner.sessions)
        )

    def listening(self, proto, *expected):
        """The sockets on ports of interest.

        Where one is missing at an expected (address, port), the table is read a second time: the
        kernel may leave an entry out.
        """
        found = self.once.get("listening " + proto, lambda: self._listening(proto))
        if proc.held(found, expected):
            return found
        again = self.once.get("listening again " + proto, lambda: self._listening(proto))
        return found + [entry for entry in again if entry not in found]

    def _listening(self, proto):
        ports = set(self.interesting_ports())
        for dummy, settings in self.per_instance("mta"):
            if settings.get("stat_address"):
                ports.add(network.split_address(settings["stat_address"], STAT_PORT)[1])
        return proc.listening(proto, ports)

    def pdump(self):
        return self.once.get("pdump", lambda: read_pdump(self))

    def logon_page(self):
        """Tomcat's logon page, as a check of the probe http."""
        network.require(self.tomcat_url, "tomcat_url")
        url = self.tomcat_url + "/nl/jsp/logon.jsp"
        limit = self.limit * 0.85
        return self.once.get("logon", lambda: network.check("tomcat_logon", url, limit))

    def service(self):
        return self.once.get("service", lambda: read_service(self))

    def nlserver(self, *arguments):
        """The output of a read-only nlserver command; both texts when it failed."""
        if self.environment_error and self.environment_error.kind == "timeout":
            raise ProbeError("skipped", "env.sh did not end, so nlserver was not run")
        program = os.path.join(self.home, "bin", "nlserver")
        result = self.runner.run((program,) + arguments, self.limit, self.variables)
        return result.return_code, parsers.decode(result.out), parsers.decode(result.err)


# ------------------------------------------------------------------------------ probes


def probe_environment(context):
    script = os.path.join(context.home, "env.sh")
    if not os.path.exists(script):
        raise ProbeError("missing", script + ": No such file", _environment(context))
    result = context.runner.run(
        ["sh", "-c", '. "$1" >/dev/null 2>&1; exec env -0', "sh", script], context.limit
    )
    variables = parsers.environment(result.out)
    if result.return_code or not variables:
        text = clean(parsers.decode(result.err).strip(), 200) or "no output"
        raise ProbeError("failed", "%s ended with %d: %s" % (script, result.return_code, text))
    variables["LC_ALL"] = "C"
    context.variables = variables
    return _environment(context)


def _environment(context):
    return {
        "var_dir": context.var_dir,
        "tmp_dir": context.tmp_dir,
        "jdk_home": context.variables.get("JDK_HOME"),
    }


def probe_configuration(context):
    conf = os.path.join(context.home, "conf")
    data, problem = configuration.load(conf, context.options["syslogd_port"])
    context.configuration = data
    context.configuration_problem = problem
    if problem:
        raise ProbeError("invalid", problem, data)
    return data


def probe_pdump(context):
    return context.pdump()


def read_pdump(context):
    code, out, err = context.nlserver("pdump")
    data = parsers.pdump(out)
    data["return_code"] = code
    return _judge_return_code(data, "pdump", code, err)


def probe_missing(context):
    """Asked only if the configuration and pdump leave room for an answer."""
    listed = set((task["module"], task["instance"]) for task in context.pdump()["tasks"])
    absent = [
        entry
        for entry in context.configuration["modules"]
        if entry["auto_start"] and (entry["module"], entry["instance"]) not in listed
    ]
    if listed and not absent and not context.configuration_problem:
        return {"modules": [], "return_code": None}
    code, out, err = context.nlserver("monitor", "-missing")
    data = parsers.missing(out)
    data["return_code"] = code
    return _judge_return_code(data, "monitor -missing", code, err, out)


def _judge_return_code(data, name, code, err, out=""):
    """A command that did not work says why on its error output, or in place of its answer."""
    said = [clean(line, 300) for line in (err.strip() or out.strip()).splitlines()[:5]]
    if "unrecognised" in data:
        data["unrecognised"] = (data["unrecognised"] + said)[:20]
    answered = data.get("tasks") or data.get("header") or data.get("modules")
    if code in (126, 127) or code < 0 or (code and not answered):
        text = said[0] if said else "no output"
        raise ProbeError("failed", "nlserver %s ended with %d: %s" % (name, code, text), data)
    return data


def probe_processes(context):
    return context.processes()


def probe_sockets(context):
    own = set(status.pid for status in context.table().own)
    address = context.options["address"]
    expected = context.expected_ports()
    bound = [expected[name] for name in expected if name.partition("@")[0] in ("syslogd", "stat")]
    found = context.listening("udp", *((address, port) for port in bound))
    if context.logon_page()["status"] != 200:  # who holds web's port?
        found = found + context.listening("tcp", (address, expected["web"]))
    return {"listening": proc.sockets(found, context.interesting_ports(), address, own)}


def probe_shared_memory(context):
    keys = set(int(key, 0) & 0xFFFFFFFF for key in context.options["shared_memory_keys"])
    return proc.shared_memory(context.account.pw_uid, keys)


def probe_logs(context):
    since = context.now - 60.0 * context.options["log_window"]
    return logs.collect(context.var_dir, context.instances, since, context.account)


def probe_machine(context):
    return proc.machine(context.table())


def probe_service(context):
    return context.service()


def read_service(context):
    """The server's unit, and that of the web server in front of it."""
    unit = context.options["service"]
    front = context.options["front_service"]
    names = [name if "." in name else name + ".service" for name in (unit, front) if name]
    script = next((path for path in INIT_SCRIPTS if os.path.exists(path)), None)
    data = {
        "manager": "init" if script else "none",
        "unit": unit,
        "load_state": None,
        "active_state": None,
        "sub_state": None,
        "enabled": None,
        "main_pid": None,
        "pid_file": None,
        "init_script": script,
        "front": None,
    }
    if not os.path.isdir("/run/systemd/system"):
        return data
    data["manager"] = "systemd"
    try:
        result = context.runner.run(
            ["systemctl", "show", "--no-pager", "-p", UNIT_PROPERTIES] + names,
            context.limit,
            as_account=False,
        )
    except ProbeError as error:
        error.data = data
        raise
    blocks = parsers.units(parsers.decode(result.out))
    if result.return_code or len(blocks) != len(names):
        text = clean(parsers.decode(result.err).strip(), 200)
        raise ProbeError("failed", "systemctl show: " + (text or "no answer"), data)
    data.update(_unit(blocks[0]))
    data["main_pid"] = number(blocks[0].get("MainPID"), 0) or None
    data["pid_file"] = blocks[0].get("PIDFile") or None
    if front:
        data["front"] = dict(_unit(blocks[1]), unit=front)
    return data


def _unit(values):
    state = values.get("UnitFileState")
    return {
        "load_state": values.get("LoadState") or None,
        "active_state": values.get("ActiveState") or None,
        "sub_state": values.get("SubState") or None,
        "enabled": state.startswith("enabled") if state else None,
    }


def probe_storage(context):
    home, var_dir = context.home, context.var_dir
    places = [
        (home, "home"),
        (var_dir, "var"),
        (context.tmp_dir, "tmp"),
        (os.path.join(home, "var", "tmp"), "var_tmp"),
        (os.path.join(var_dir, DEFAULT, "log"), "log"),
    ]
    directories = [home, os.path.join(home, "bin"), os.path.join(home, "lib"), var_dir]
    directories.extend(os.path.join(var_dir, instance) for instance in context.instances)
    functions = [lambda place=place: storage.mount(*place) for place in places]
    functions.append(lambda: storage.mounts_below(var_dir, context.instances, frozenset()))
    functions.append(lambda: storage.core_files(directories))
    functions.append(lambda: _pid_file(context))
    functions.append(lambda: _spools(context))
    functions.append(
        lambda: [
            storage.redirection(instance, os.path.join(var_dir, instance, "redir"))
            for instance in context.instances
        ]
    )
    functions.append(
        lambda: [
            {"path": path, "mtime_at": storage.changed_at(path)}
            for path in context.options["quota_files"]
        ]
    )
    tasks = command.side_by_side(functions, context.limit * 0.9)
    values = [None if task.error else task.value for task in tasks]
    count = len(places)
    mounts = [value for value in values[:count] if value]
    devices = [entry["device"] for entry in mounts]
    inside, cores, pid_file, spools, redirections, quota_files = values[count:]
    data = {
        "mounts": mounts + [one for one in inside or [] if one["device"] not in devices],
        "core_files": cores or [],
        "pid_file": pid_file,
        "spool": [one for one in spools or [] if one],
        "redirection": [one for one in redirections or [] if one],
        "quota_files": quota_files or [],
    }
    names = [path for path, dummy in places]
    names.extend(["directories of the instances", "core files", "pid file"])
    names.extend(["spool", "redirection", "quota files"])
    failed = [(name, task.error) for name, task in zip(names, tasks) if task.error]
    if failed:
        text = "; ".join(
            error.message if name in error.message else "%s: %s" % (name, error.message)
            for name, error in failed
        )
        raise ProbeError(failed[0][1].kind, text, data)
    return data


def _pid_file(context):
    path = context.options["pid_file"]
    if not path:
        try:
            path = context.service()["pid_file"]
        except ProbeError:
            return None
    return storage.pid_file(path) if path else None


def _spools(context):
    found = []
    for instance, settings in context.per_instance("mta"):
        path = settings.get("working_path") or "var/%s/mta/" % instance
        path = path.replace("$(INSTANCE_NAME)", instance).rstrip("/")
        if path.startswith("var/"):
            path = os.path.join(context.var_dir, path[4:])
        found.append(storage.spool(instance, os.path.join(context.home, path)))
    return found


def probe_http(context):
    front, tomcat = context.front_url, context.tomcat_url
    # A GET is no SOAP call: it opens no session and leaves nothing in logins.log.
    checks = [("soap_session", tomcat + "/nl/jsp/soaprouter.jsp")]
    if front:
        network.require(front, "front_url")
        checks.append(("front_test", front + "/r/test"))
        checks.append(("front_logon", front + "/nl/jsp/logon.jsp"))
    limit = context.limit * 0.9
    functions = [context.logon_page]
    functions.extend(lambda c=c: network.check(c[0], c[1], limit * 0.95) for c in checks)
    tasks = command.side_by_side(functions, limit)
    return {"checks": [task.value for task in tasks if task.value]}


def probe_network(context):
    limit = context.limit * 0.9
    wanted = []

    def want(name, instance, host, port, proto, conversation):
        wanted.append((name, instance, host, port, proto, conversation, limit * 0.95))

    for instance, settings in context.per_instance("mta"):
        if settings.get("stat_address"):
            host, port = network.split_address(settings["stat_address"], STAT_PORT)
            talk = network.local_udp(lambda place: context.listening("udp", place))
            want("stat", instance, host, port, "udp", talk)
        if settings.get("relay_host"):
            host, port = network.split_address(
                settings["relay_host"], settings.get("relay_port") or 25
            )
            want("relay", instance, host, port, "tcp", network.smtp)
    for source in context.configuration["databases"]:
        place = network.database(source["server"], source["provider"])
        if place and source["instance"] in context.instances:
            want("database", source["instance"], place[0], place[1], "tcp", network.tcp)
    for mailbox in context.options["mailboxes"]:
        talk = network.pop3(mailbox.get("login"), mailbox.get("password"))
        if mailbox["instance"] in context.instances:
            want("mailbox", mailbox["instance"], mailbox["host"], mailbox["port"], "tcp", talk)
    for url in context.options["redirection_urls"]:
        network.require(url, "redirection_urls")
        dummy, host, port, dummy = network.split_url(url)
        want("redirection", DEFAULT, host, port, "tcp", network.redirection(url))
    tasks = command.side_by_side([lambda w=w: network.target(*w) for w in wanted], limit)
    targets = []
    for asked, task in zip(wanted, tasks):
        entry = task.value or {
            "name": asked[0],
            "instance": asked[1],
            "host": clean(asked[2], 200),
            "port": asked[3],
            "proto": asked[4],
            "resolved": None,
            "reachable": None if asked[4] == "udp" else False,
            "error": "timeout",
            "seconds": round(limit, 3),
            "detail": {},
        }
        targets.append(entry)
    return {"targets": targets}


def probe_jobs(context):
    running = context.processes()["modules"]
    declared = [
        job for job in context.options["jobs"] if job["instance"] in context.instances
    ]
    entries, failures = [], []
    for job in declared:
        same = [j for j in declared if (j["kind"], j["instance"]) == (job["kind"], job["instance"])]
        task_error = None
        try:
            entries.append(jobs.collect(job, running, context.var_dir, len(same) == 1))
        except OSError as error:
            task_error = error
        if task_error:
            failures.append("%s: %s" % (job["name"], task_error.strerror))
    if failures:
        raise ProbeError("failed", "; ".join(failures), {"jobs": entries})
    return {"jobs": entries}


def probe_ledger(context):
    """Read as who runs this: to become the account would change all probes beside this one."""
    path = context.options["state_dir"] or state_directory(context.home)
    if not os.path.lexists(path):
        return dict((name, []) for name in LEDGER_LISTS)
    # Here and not above: on most hosts nothing was repaired yet, and to compile it takes longer
    # than all the rest of this probe.
    from ansible_collections.campaign.remediation.plugins.module_utils import ledger

    store = ledger.Store(path, os.geteuid(), os.getegid())
    try:
        holder = ledger.read_lock(store)
        running = holder and ledger.at_work(holder, proc.start_of, context.now) and holder["run"]
        lines = ledger.Ledger(store).last_lines()
    except ledger.StoreError as error:
        raise ProbeError("failed", str(error)) from None
    window = 60.0 * context.options["log_window"]
    return ledger.summary(lines, context.now, window, running)


def probe_api(context):
    """Imported late: a host without credentials does not pay for the client."""
    if not context.options["api"]:
        raise ProbeError("skipped", NO_CREDENTIALS)
    if context.options["api_from"] == "controller":
        raise ProbeError("skipped", "asked from the controller")
    end = min(context.end - GRACE, time.monotonic() + context.options["api_timeout"])
    from ansible_collections.campaign.remediation.plugins.module_utils import api

    left = max(0.5, end - time.monotonic())
    return api.collect(context.options, context.instances, context.tomcat_url, left)


TABLE = {
    "environment": probe_environment,
    "configuration": probe_configuration,
    "pdump": probe_pdump,
    "missing": probe_missing,
    "processes": probe_processes,
    "sockets": probe_sockets,
    "shared_memory": probe_shared_memory,
    "logs": probe_logs,
    "storage": probe_storage,
    "machine": probe_machine,
    "service": probe_service,
    "http": probe_http,
    "network": probe_network,
    "jobs": probe_jobs,
    "ledger": probe_ledger,
    "api": probe_api,
}


# ---------------------------------------------------------------------------- snapshot


def find_account(options):
    """The Campaign account, which this process must be, or be able to become."""
    try:
        account = pwd.getpwnam(options["user"])
    except KeyError:
        text = "There is no account '%s' on this host (option user)." % options["user"]
        raise InputError(text) from None
    if os.geteuid() not in (0, account.pw_uid):
        raise _not_permitted(options)
    return account


def _not_permitted(options):
    return InputError(
        "'%s' may not act as the Campaign account '%s': connect as that account,"
        " or set become: true." % (proc.user_name(os.geteuid()), options["user"])
    )


def is_installed(options):
    """Is there a Campaign server? Raises InputError where that may not be seen."""
    try:
        os.stat(os.path.join(options["home"], "bin", "nlserver"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        text = "'%s' may not look into %s: connect as the Campaign account, or set become: true."
        raise InputError(text % (proc.user_name(os.geteuid()), options["home"])) from None
    return True


def blank(options):
    """A snapshot in which nothing has been seen yet."""
    return {
        "schema": SCHEMA,
        "taken_at": time.time(),
        "utc_offset_seconds": time.localtime().tm_gmtoff,
        "seconds": 0.0,
        "home": options["home"],
        "user": options["user"],
        "uid": None,
        "address": options["address"],
        "asked": {
            "modules": [m for m in MODULES if m in options["modules"]] or list(MODULES),
            "instances": list(options["instances"]),
            "log_window": options["log_window"],
            "probes": chosen_probes(options),
            "expected_ports": {},
            "restartable_workflows": list(options["restartable_workflows"]),
        },
        "jobs_declared": [declarations.declared(job) for job in options["jobs"]],
        "installed": True,
        "probes": {},
    }


def chosen_probes(options):
    asked = options["probes"]
    return [name for name in PROBES if not asked or name in asked or name in ALWAYS]


def collect(options, started=None, table=None, run=None):
    """The snapshot. Raises InputError for what the caller has to put right."""
    started = time.monotonic() if started is None else started
    end = started + max(0.1, options["timeout"] - GRACE)
    table = TABLE if table is None else table
    snapshot = blank(options)
    snapshot["installed"] = is_installed(options)
    names = snapshot["asked"]["probes"]
    if snapshot["installed"]:
        account = find_account(options)
        snapshot["uid"] = account.pw_uid
    else:
        account = pwd.getpwuid(os.geteuid())
        names = [name for name in names if name in HOST_PROBES]
    context = Context(options, account, run)
    context.end = end
    probes = snapshot["probes"]
    first = [name for name in names if name in ALWAYS]
    _run(context, table, first, end, probes)
    if snapshot["installed"]:
        context.environment_error = _error_of(probes["environment"])
        choose_instances(context, probes["configuration"], options["instances"])
        snapshot["asked"]["instances"] = context.instances
        snapshot["asked"]["expected_ports"] = context.expected_ports()
    _run(context, table, [name for name in names if name not in first], end, probes)
    snapshot["probes"] = dict((name, probes[name]) for name in names)
    snapshot["seconds"] = round(time.monotonic() - started, 4)
    return snapshot


def _error_of(probe):
    return ProbeError(**probe["error"]) if probe["error"] else None


def _run(context, table, names, end, probes):
    """Run probes side by side; what is not done in time is a time-out."""
    tasks = command.begin([lambda name=name: table[name](context) for name in names])
    for name, task in zip(names, tasks):
        mine = task.started + context.seconds_for(name)
        done = task.wait(min(end, mine + 0.2))
        error, data, seconds = task.error, task.value, task.seconds
        if not done:
            seconds, data = time.monotonic() - task.started, None
            error = ProbeError("timeout", "no answer in %.1f s" % seconds)
        probes[name] = {
            "seconds": round(seconds, 4),
            "error": error.as_data() if error else None,
            "data": data,
        }


def choose_instances(context, probe, asked):
    """The instances to look at; an unknown one is bad input, if the known ones are known."""
    known = context.configuration["instances"]
    unknown = [name for name in asked if name not in known]
    if unknown and probe["data"]:
        raise InputError(
            "Unknown instance %s: this server has %s."
            % (", ".join("'%s'" % name for name in unknown), ", ".join(known))
        )
    context.instances = [DEFAULT] + [
        name for name in (asked or known) if name != DEFAULT
    ]


def check_options(options):
    """What an argument specification cannot say."""
    for name in ("timeout", "probe_timeout"):
        if not 0 < options[name] <= 3600:
            raise InputError("%s must be above 0 and at most 3600 seconds." % name)
    if not 0 < options["log_window"] <= 10080:
        raise InputError("log_window must be 1 to 10080 minutes.")
    if not 0 <= options["syslogd_port"] <= 65535:
        raise InputError("syslogd_port must be 0 to 65535.")
    for name, path in (("home", options["home"]), ("state_dir", options["state_dir"] or "/")):
        if not os.path.isabs(path):
            raise InputError("%s must be an absolute path, not '%s'." % (name, path))
    if not re.match(r"^[0-9A-Za-z_.:-]+$", options["address"]):
        raise InputError("address must be one address or host name.")
    unknown = [name for name in options["modules"] if name not in MODULES]
    if unknown:
        raise InputError(
            "Unknown module '%s': known are %s." % (unknown[0], ", ".join(MODULES))
        )
    urls = [(name, options[name]) for name in ("front_url", "tomcat_url") if options[name]]
    urls.extend(("redirection_urls", url) for url in options["redirection_urls"])
    for name, url in urls:
        try:
            network.split_url(url)
        except network.NetworkError:
            text = "%s must be a http or https URL, not '%s'." % (name, clean(url, 200))
            raise InputError(text) from None
    for key in options["shared_memory_keys"]:
        try:
            int(key, 0)
        except ValueError:
            raise InputError("shared_memory_keys: '%s' is no number." % key) from None
    if not 0.5 <= options["api_timeout"] <= 3600:
        raise InputError("api_timeout must be 0.5 to 3600 seconds.")
    for mailbox in options["mailboxes"]:
        if not 0 < mailbox["port"] <= 65535:
            raise InputError("mailboxes: port must be 1 to 65535.")


def unanswered(options, started):
    """The snapshot of a machine on which nothing answered in time."""
    snapshot = blank(options)
    snapshot["seconds"] = round(time.monotonic() - started, 4)
    problem = ProbeError("timeout", "nothing answered in %g s" % options["timeout"])
    for name in snapshot["asked"]["probes"]:
        snapshot["probes"][name] = {
            "seconds": snapshot["seconds"],
            "error": problem.as_data(),
            "data": None,
        }
    return snapshot
