# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the guards, for every module that changes something on a Campaign server.

Their argument specification is in module_utils/_campaign/repair/guard.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the guards."""

    DOCUMENTATION = r"""
options:
  in_flight:
    description:
      - What to do when the change would cancel work. That is workflows (for wfserver),
        operators who were active in the last 15 minutes (for web), running jobs, and all of them
        for the watchdog.
      - V(wait) waits for its end, and refuses after O(in_flight_timeout).
      - V(ignore) does not look.
    type: str
    default: refuse
    choices: [refuse, wait, ignore]
  in_flight_timeout:
    description: How long to wait for the end of work in flight, in seconds.
    type: float
    default: 300
  restart_budget:
    description:
      - How often a module of an instance may be started or restarted within
        O(restart_budget_minutes).
      - The ledger is counted, so the server's own daily restart is not. A stop, a reload and the
        way back from a raised log precision do not count either.
    type: int
    default: 3
  restart_budget_minutes:
    description: The period that the restart budget covers, in minutes.
    type: float
    default: 60
  lock_timeout:
    description: How long to wait for another run on this host, in seconds.
    type: float
    default: 20
  command_timeout:
    description: The time limit of each command, and of the wait for its effect, in seconds.
    type: float
    default: 60
  evidence:
    description:
      - Whether to save the state of the server before it is changed. That is the
        end of each log, C(pdump -who), the status of the processes, shared memory, disks and memory.
      - Passwords are taken out.
    type: bool
    default: true
  evidence_keep:
    description: How many evidence directories are kept on the host.
    type: int
    default: 20
  evidence_days:
    description: How long evidence is kept on the host, in days.
    type: float
    default: 30
  evidence_max_mb:
    description: The size limit of one evidence directory, in MB. At most 5.
    type: float
    default: 5
  remedy:
    description: The name of the remedy that this is a step of, for the ledger.
    type: str
    default: ""
  because:
    description: The ids of the findings that it answers, for the ledger. A plan counts by them.
    type: list
    elements: str
    default: []
  who:
    description: Who asked for it, for the ledger. If empty, the account that logged in.
    type: str
    default: ""
  from:
    description: The controller it comes from, for the ledger. If empty, the SSH client.
    type: str
    default: ""
    aliases: [origin]
  run:
    description:
      - The name of the run. The steps of one run share the lock of the host.
      - If empty, this call is a run of its own.
    type: str
    default: ""
  accept_lost_work:
    description: Proceed although work in flight will be cancelled.
    type: bool
    default: false
  accept_restart_loop:
    description: Proceed although the restart budget is used up.
    type: bool
    default: false
  accept_no_evidence:
    description: Proceed although no evidence can be saved.
    type: bool
    default: false
  accept_no_record:
    description: Proceed although neither ledger nor lock can be written.
    type: bool
    default: false
  accept_other_run:
    description:
      - Proceed although another run holds the lock of this host.
      - Not needed after a run that was killed, its lock ends by itself.
    type: bool
    default: false
  accept_pause:
    description: Proceed although repairs are paused on this host, or it is unknown whether they are.
    type: bool
    default: false
  controller:
    description:
      - The ansible-playbook process that this call comes from. The module's action plugin fills it
        in.
    type: dict
    suboptions:
      host:
        description: The controller's name.
        type: str
        required: true
      boot:
        description: Which boot of the controller it is.
        type: str
        required: true
      space:
        description: The process numbering that O(controller.pid) belongs to.
        type: str
        required: true
      pid:
        description: The process id.
        type: int
        required: true
      start:
        description: When the process began, in ticks since the boot.
        type: int
        required: true
      called:
        description: The name of the host in the inventory.
        type: str
        required: true
      gone:
        description: Processes of the same controller that have ended, each as C(pid-start).
        type: list
        elements: str
        default: []
      living:
        description: Processes of the same controller that still run, each as C(pid-start).
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    support: full
    description: Can run in check mode and reports what would be done, or which guard would refuse.
  diff_mode:
    support: full
    description: Returns the state before and after.
  platform:
    support: full
    platforms: posix
    description: The target systems the module runs on. Linux only, it reads C(/proc).
notes:
  - Each guard can be overridden by an option whose name begins with C(accept_) and says what is
    lost.
  - The ledger is C(ledger.jsonl) in O(state_dir), one JSON object a line.
"""
