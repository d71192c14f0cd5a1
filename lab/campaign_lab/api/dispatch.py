"""From a SOAP call to the function that answers it.

A method is a function in a table under ``(service, name)`` that takes the web module and the call and
gives the inner XML of its response: more of the API is more entries (methods.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Tuple

from campaign_lab import database
from campaign_lab.api import methods
from campaign_lab.modules.soap import EXPIRED, Call, Fault, Refused, logon

if TYPE_CHECKING:
    from campaign_lab.modules.web import Session, Web

    Method = Callable[[Web, Call], str]

ANONYMOUS: Dict[Tuple[str, str], Method] = {
    ("xtk:session", "Logon"): logon,
}
"""The methods that need no session."""


def dispatch(web: Web, call: Call) -> str:
    """Run a call and give the answer's envelope. Raises Fault, Refused."""
    method = ANONYMOUS.get((call.service, call.method))
    if method is None:
        call.session = authenticated(web, call)
        if call.service not in methods.SERVICES:
            raise Fault("SOP-330024 Unspecified function library", "'%s'" % call.service)
        method = methods.METHODS.get((call.service, call.method))
    if method is None:
        raise Fault.of(call, "The method '%s' of '%s' is not known (iRc=-55)" % (
            call.method, call.service))  # fmt: skip
    try:
        return call.respond(method(web, call))
    except database.DatabaseError as error:
        web.error(str(error))
        raise Fault.of(call, str(error)) from None


def authenticated(web: Web, call: Call) -> Session:
    """The session of a call's tokens. Raises Refused."""
    token = call.request.cookies.get("__sessiontoken", "") or call.text("sessiontoken")
    session = web.sessions.get(token)
    sent = call.request.headers.get("x-security-token", "")
    if session is None or sent != session.security_token:
        raise Refused(EXPIRED)
    return session
