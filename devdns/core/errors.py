"""What can go wrong, as a person should read it: one line that names the value and the culprit, and a hint that mends it.

Every error that reaches the command line is a `DevdnsError`; its `exit_code` is the process's. Foreign exceptions are
translated at the edge that called the library.
"""

from __future__ import annotations

from collections.abc import Sequence

#: What a program may branch on in an error's JSON, by HTTP status: the same words from the API and from the proxy.
WORDS = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    421: "misdirected_request",
    431: "header_too_large",
    500: "internal",
    502: "bad_gateway",
    503: "unavailable",
    504: "timeout",
    507: "not_written",
    508: "loop",
}


def word(status: int) -> str:
    """The word for a status; `error` for one that has none of its own."""
    return WORDS.get(status, "error")


class DevdnsError(Exception):
    """A failure with a reason in words. `str()` is one line: the message, and the hint after a dash if there is one."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} - {self.hint}" if self.hint else self.message


class NameRefused(DevdnsError):
    """A name that cannot be claimed or looked up: bad syntax, outside the zones, or reserved."""

    exit_code = 2


class TargetRefused(DevdnsError):
    """A target that cannot be parsed, or that must not be routed to."""

    exit_code = 2


class UsageRefused(DevdnsError):
    """Wrong flags, wrong values, an address that cannot be had."""

    exit_code = 2


class NotRunning(DevdnsError):
    """No devdns answers for this state folder."""

    exit_code = 3


class FrameRefused(DevdnsError):
    """Bytes on the snapshot socket that are not a frame; the connection is closed."""


class ConfigRefused(DevdnsError):
    """A configuration with problems: all of them, each led by its key path (`docker.hosts: ...`).

    `where` stands before each; it is empty when the problems say themselves where they are (`devdns.yml:7: ...`).
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str], where: str = "configuration", hint: str = "") -> None:
        self.problems = tuple(problems)
        self.where = where
        lead = f"{where}: " if where else ""
        super().__init__("\n".join(lead + problem for problem in self.problems), hint)
