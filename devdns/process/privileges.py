"""Privileges given up by a child once everything is imported and every socket is open: uid, groups, capabilities.

The working directory is the state folder by then, so that files there are reached by relative names even where the new
user may not walk the path to it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Mapping

PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
LAST_CAPABILITY = 63


def drop(environ: Mapping[str, str], groups: tuple[int, ...] | None = None) -> None:
    """Becomes the user of `DEVDNS_RUN_AS` (`uid:gid`) when root; `groups` are kept besides that user's own, None: no group is.

    The parsers of network bytes keep none: that user's own may be those of the Docker socket. Raises OSError when the
    system refuses: a child must not go on as root.
    """
    run_as = environ.get("DEVDNS_RUN_AS")
    if os.geteuid() == 0 and run_as:
        uid, gid = (int(part) for part in run_as.split(":"))
        _drop_bounding_set()
        os.setgroups([] if groups is None else sorted({*_groups_of(uid, gid), *groups} - {0}))
        os.setgid(gid)
        os.setuid(uid)  # from root this sets the real, effective and saved ids, and clears all capabilities
    _no_new_privileges()


def _groups_of(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:  # a uid without a name, as in containers
        return [gid]


def _drop_bounding_set() -> None:
    """So that no file capability can ever give anything back (Linux, capabilities(7))."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL past the kernel's last one


def _no_new_privileges() -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot set no_new_privs")
