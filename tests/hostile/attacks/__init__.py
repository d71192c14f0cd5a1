"""What the Campaign account may try against root: a row each, shown in docs/developer/security.md.

The function of a row prepares it and runs as the account. What follows holds for every row and is
not repeated: nothing of the account's runs with another uid than the account's, root's files stay
as they are, none of their contents comes out, the answer is whole, clean and in time, every probe
that the row does not name has answered, and no process is left behind.
"""

from hostile.attacks import environment, files  # isort: skip
from hostile.attacks import configuration, answers, processes, peers  # isort: skip
from hostile.attacks import state, repairs, allowed  # isort: skip

SECTIONS = (environment, files, configuration, answers, processes, peers, state, repairs, allowed)
"""In the order of the page. To import them is what fills table.ATTACKS."""
