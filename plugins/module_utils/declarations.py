# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a site declares of its exports and imports."""

DECLARED = (
    "name",
    "kind",
    "instance",
    "operator",
    "result",
    "rejects",
    "max_age_hours",
    "max_minutes",
)


def argument_spec():
    """The options of a declared job."""
    words = dict(type="list", elements="str")
    return dict(
        name=dict(type="str", required=True),
        kind=dict(type="str", choices=["export", "import"], required=True),
        instance=dict(type="str", required=True),
        operator=dict(type="str"),
        arguments=dict(type="dict", options=dict(full=words, delta=words)),
        result=dict(type="str"),
        rejects=dict(type="str"),
        max_age_hours=dict(type="float"),
        max_minutes=dict(type="float"),
        keys=dict(type="list", elements="str", no_log=False),
        schema=dict(type="str", default="nms:recipient"),
    )


def declared(job):
    """What a snapshot may show of a declaration (never its arguments)."""
    return dict((name, job.get(name)) for name in DECLARED)
