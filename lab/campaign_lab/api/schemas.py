"""The schemas of the API, and with them the tables of the database.

A schema's attributes are known by their path (``@internalName``, ``scheduling/@contactDate``);
its table is named after it (``xtk:workflow`` is ``xtk_workflow``). The names come from the vendor's
documentation, from ``adobe/acc-js-sdk`` and from queries that users published; what is the
lab's own is marked here with ``own`` and named in docs/developer/lab.md. Columns that no attribute
names are the lab's inner working: no query can reach them.
"""

from __future__ import annotations

from typing import Dict, Iterator, NamedTuple, Optional, Tuple
from xml.sax.saxutils import quoteattr

NUMBERS = ("byte", "short", "long", "int64", "boolean", "double")
SQL_TYPES = {"string": "TEXT", "memo": "TEXT", "datetime": "DOUBLE PRECISION",
             "double": "DOUBLE PRECISION"}


class Attribute(NamedTuple):
    """One attribute: its path in the schema, its type in XTK, its column."""

    path: str
    type: str
    column: str
    default: str = ""
    """As SQL writes it; empty: NULL."""


class Link(NamedTuple):
    """A link ``name`` to another schema, whose key is in the attribute ``@<name>-id``."""

    name: str
    target: str
    column: str


class Method(NamedTuple):
    """A SOAP method: its parameters as ``name:type`` or ``name:type:out``."""

    name: str
    parameters: Tuple[str, ...] = ()
    static: bool = True


class Schema:
    """A schema and its table."""

    def __init__(
        self,
        identifier: str,
        label: str,
        attributes: str = "",
        links: Tuple[Link, ...] = (),
        inner: str = "",
        methods: Tuple[Method, ...] = (),
        interface: str = "",
        implements: str = "",
        table: str = "",
        types: Tuple[str, ...] = (),
    ) -> None:
        """``attributes`` and ``inner``: a definition a line, ``path type [column] [=default]``."""
        self.id = identifier
        self.namespace, _, self.name = identifier.partition(":")
        self.label = label
        self.table = table or identifier.replace(":", "_")
        self.links = {link.name: link for link in links}
        self.attributes: Dict[str, Attribute] = {}
        for line in attributes.strip().splitlines():
            attribute = _attribute(line)
            self.attributes[attribute.path] = attribute
        for link in links:
            path = "@%s-id" % link.name
            self.attributes[path] = Attribute(path, "long", link.column, "0")
        self.inner = [_attribute(line) for line in inner.strip().splitlines()]
        self.methods = methods
        self.interface = interface
        """The name of the interface that its methods belong to; empty: its own methods."""
        self.implements = implements
        self.types = types
        """Elements that types of parameters refer to: ``sessionUserInfo`` is ``userInfo``."""

    @property
    def stored(self) -> bool:
        """Has it a table? Some schemas only have methods."""
        return bool(self.attributes)

    def ddl(self, identity: str) -> str:
        """``CREATE TABLE``; ``identity`` is the type of a key that the database counts up."""
        columns = []
        for attribute in [*self.attributes.values(), *self.inner]:
            if attribute.column == "id":
                columns.append("id %s PRIMARY KEY" % identity)
                continue
            unique = " UNIQUE" if (self.id, attribute.path) in UNIQUE else ""
            default = " DEFAULT " + attribute.default if attribute.default else ""
            kind = SQL_TYPES.get(attribute.type, "BIGINT")
            columns.append("%s %s%s%s" % (attribute.column, kind, default, unique))
        return "CREATE TABLE %s (%s)" % (self.table, ", ".join(columns))

    def xml(self) -> str:
        """The schema's document, as far as the lab knows it."""
        lines = ["<schema%s>" % _pairs(
            implements=self.implements, label=self.label, name=self.name,
            namespace=self.namespace, xtkschema="xtk:schema")]  # fmt: skip
        methods = "".join(_method_xml(method) for method in self.methods)
        if methods and self.interface:
            lines.append("<interface%s>%s</interface>" % (
                _pairs(name=self.interface, **({"async": "true"} if self.implements else {})),
                methods))  # fmt: skip
        lines += ["<element%s/>" % _pairs(name=name) for name in self.types]
        lines.append("<element%s>%s</element>" % (
            _pairs(name=self.name, label=self.label, autopk="true" if self.stored else ""),
            "".join(self._elements())))  # fmt: skip
        if methods and not self.interface:
            lines.append("<methods>%s</methods>" % methods)
        return "".join([*lines, "</schema>"])

    def _elements(self) -> Iterator[str]:
        if self.stored:
            yield "<key%s><keyfield xpath='@id'/></key>" % _pairs(internal="true", name="id")
        groups: Dict[str, str] = {}
        for attribute in self.attributes.values():
            group, _, name = attribute.path.rpartition("@")
            groups.setdefault(group.rstrip("/"), "")
            groups[group.rstrip("/")] += "<attribute%s/>" % _pairs(name=name, type=attribute.type)
        for group, content in groups.items():
            yield "<element%s>%s</element>" % (_pairs(name=group), content) if group else content
        for link in self.links.values():
            yield "<element%s><join%s/></element>" % (
                _pairs(name=link.name, target=link.target, type="link"),
                _pairs(**{"xpath-dst": "@id", "xpath-src": "@%s-id" % link.name}))  # fmt: skip


def _attribute(line: str) -> Attribute:
    path, kind, *rest = line.split(None, 3)
    default = next((word[1:] for word in rest if word.startswith("=")), "")
    column = next((word for word in rest if not word.startswith("=")), path.rpartition("@")[2])
    return Attribute(path, kind, column, default)


def _pairs(**values: str) -> str:
    return "".join(" %s=%s" % (name, quoteattr(value)) for name, value in values.items() if value)


def _method_xml(method: Method) -> str:
    parameters = ""
    for parameter in method.parameters:
        name, kind, *out = parameter.split(":")
        parameters += "<param%s/>" % _pairs(name=name, type=kind, inout=out[0] if out else "in")
    return "<method%s><parameters>%s</parameters></method>" % (
        _pairs(name=method.name, static="true" if method.static else ""), parameters)


CREATED_BY = Link("createdBy", "xtk:operator", "createdById")
UNIQUE = {("xtk:option", "@name"), ("xtk:operator", "@name"), ("xtk:folder", "@name"),
          ("xtk:workflow", "@internalName"), ("nms:extAccount", "@name"),
          ("nms:broadLogMsg", "@messageId")}
INDEXES = ("CREATE INDEX nms_broadLog_delivery ON nms_broadLog (deliveryId, status)",)

SCHEMAS: Dict[str, Schema] = {schema.id: schema for schema in (
    Schema("xtk:option", "Options", """
        @id long
        @name string
        @dataType byte dataType =6
        @stringValue string value
        """),
    Schema("xtk:operator", "Operators", """
        @id long
        @name string
        @label string
        @email string
        @type byte type =0
        @accountDisabled boolean accountDisabled =0
        """, inner="""
        labPassword string
        labAdmin boolean labAdmin =0
        """),
    Schema("xtk:folder", "Folders", """
        @id long
        @name string
        @label string
        @fullName string
        """),
    Schema(
        "xtk:workflow", "Workflows", """
        @id long
        @internalName string
        @label string
        @state long state =0
        @failed boolean failed =0
        @processId long processId =0
        @lastStart datetime
        @production boolean production =1
        @created datetime
        @lastModified datetime
        """,
        links=(Link("folder", "xtk:folder", "folderId"), CREATED_BY),
        inner="""
        labActivity string
        labAffinity string labAffinity =''
        labPeriod long labPeriod =0
        labNext datetime labNext =0
        labErrors long labErrors =0
        isTechnical boolean isTechnical =0
        """,
        methods=(
            Method("Start", ("workflowId:string",)),
            Method("Stop", ("workflowId:string",)),
            Method("Wakeup", ("workflowId:string",)),
            Method("StartWithParameters", ("workflowId:string", "parameters:DOMElement")),
            Method("PostEvent", ("workflowId:string", "activity:string", "transition:string",
                                 "parameters:DOMElement", "complete:boolean")),
        ),
    ),
    Schema("xtk:workflowLog", "Workflow logs", """
        @id long
        @logDate datetime
        @logType long
        @activity string
        @message string
        """, links=(Link("workflow", "xtk:workflow", "workflowId"),)),
    Schema("xtk:workflowTask", "Workflow tasks", """
        @id long
        @activity string
        @status long status =0
        @taskIdentifier string
        @title string
        @processingDate datetime
        @nextProcessingDate datetime
        """, links=(Link("workflow", "xtk:workflow", "workflowId"),)),
    Schema(
        "xtk:job", "Jobs", """
        @id long
        @name string
        @label string
        @kind string
        @status long status =0
        @pid long pid =0
        @startDate datetime
        @endDate datetime
        @processed long processed =0
        @rejected long rejected =0
        """,
        links=(CREATED_BY,),
        inner="""
        operator string
        labArguments string
        labSchema string
        labMethod string
        labEntity long labEntity =0
        """,
        methods=(
            Method("Execute", ("methodName:string", "id:string:out"), static=False),
            Method("Submit", ("methodName:string", "id:string:out"), static=False),
            Method("Cancel", ("id:string",)),
            Method("GetStatus", ("id:string", "lastLogId:long", "maxLogCount:long",
                                 "status:short:out", "returnLogs:DOMElement:out",
                                 "properties:DOMElement:out")),
        ),
        interface="jobInterface",
        implements="xtk:jobInterface",
    ),
    Schema("xtk:jobLog", "Job logs", """
        @id long
        @logDate datetime
        @logType long
        @iRc long iRc =0
        @object string
        @message string
        """, links=(Link("job", "xtk:job", "jobId"),)),
    Schema("nms:recipient", "Recipients", """
        @id long
        @email string
        @firstName string
        @lastName string
        @externalId string
        @created datetime
        @lastModified datetime
        """, inner="""
        labBounces long labBounces =0
        """),
    Schema("nms:delivery", "Deliveries", """
        @id long
        @internalName string
        @label string
        @state long state =0
        @created datetime
        @lastModified datetime
        scheduling/@contactDate datetime
        properties/@toDeliver long toSend =0
        indicators/@success long success =0
        indicators/@error long errors =0
        """, links=(CREATED_BY,), inner="""
        subject string
        labAffinity string labAffinity =''
        """),
    Schema("nms:broadLogRcp", "Delivery logs", """
        @id long
        @address string
        @status long status =6
        @eventDate datetime lastModified
        """, links=(Link("delivery", "nms:delivery", "deliveryId"),
                    Link("recipient", "nms:recipient", "recipientId")), inner="""
        labReason string
        """, table="nms_broadLog"),
    Schema("nms:broadLogMsg", "Delivery log qualification", """
        @id long
        @lastModified datetime received
        @address string
        @messageId string
        @text string
        """),
    Schema("nms:trackingLogRcp", "Tracking logs", """
        @id long
        @logDate datetime
        @url string
        @sourceIp string
        """, links=(Link("delivery", "nms:delivery", "deliveryId"),
                    Link("broadLog", "nms:broadLogRcp", "broadLogId")),
           table="nms_trackingLog"),
    Schema("nms:extAccount", "External accounts", """
        @id long
        @name string
        @label string
        @type string
        @server string
        @port long
        @account string
        @active boolean active =1
        """, inner="""
        labPassword string
        """),
    Schema("xtk:session", "Sessions", types=("sessionInfo", "userInfo"), methods=(
        Method("Logon", ("login:string", "password:string", "parameters:DOMElement",
                         "sessionToken:string:out", "sessionInfo:DOMDocument:out",
                         "securityToken:string:out")),
        Method("Logoff"),
        Method("TestCnx"),
        Method("GetOption", ("name:string", "value:string:out", "type:byte:out")),
        Method("GetUserInfo", ("userInfo:sessionUserInfo:out",)),
        Method("GetServerTime", ("time:datetime:out",)),
    )),
    Schema("xtk:queryDef", "Queries", methods=(
        Method("ExecuteQuery", ("output:DOMDocument:out",), static=False),
    )),
    Schema("xtk:persist", "Persistence", methods=(
        Method("GetEntityIfMoreRecent", ("pk:string", "md5:string", "mustExist:boolean",
                                         "doc:DOMDocument:out")),
    )),
)}  # fmt: skip


def schema(identifier: str) -> Optional[Schema]:
    """The schema of that name (``nms:recipient``)."""
    return SCHEMAS.get(identifier)


def tables() -> Iterator[Schema]:
    """The schemas that have a table."""
    return (each for each in SCHEMAS.values() if each.stored)
