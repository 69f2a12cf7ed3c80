"""Takes secrets out of texts, by rules. Pure: a text and the rules in, the text and the number of places out.

It errs on the side of taking out too much: whoever reads a bundle can ask for what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from devdns.core.errors import UsageRefused

GONE = "[redacted]"
#: Words in the name of a variable, a key or a parameter whose value is nobody's business.
SOUNDS = r"(?:token|secret|passw(?:or)?d|passwd|passphrase|pwd|api[_-]?key|private[_-]?key|access[_-]?key|credential|auth|session|cookie|signature|dsn)"
SHORTEST = 4  # a literal of fewer characters would be found everywhere


class Rule(Struct, frozen=True):
    """What matches is replaced by `into`, which may keep the group `keep` of it."""

    pattern: re.Pattern[str]
    into: str = GONE


RULES = (
    Rule(re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)),
    Rule(re.compile(r'(?P<keep>\b(?:proxy-)?authorization"?\s*[:=]\s*"?)[^"\r\n]+', re.IGNORECASE), rf"\g<keep>{GONE}"),
    Rule(re.compile(r'(?P<keep>\b(?:set-)?cookie"?\s*[:=]\s*"?)[^"\r\n]+', re.IGNORECASE), rf"\g<keep>{GONE}"),
    Rule(re.compile(r"(?P<keep>\bbearer\s+)[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\g<keep>{GONE}"),
    Rule(re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://)[^\s/?#\"'<>]*@", re.IGNORECASE), rf"\g<keep>{GONE}@"),
    Rule(
        re.compile(
            rf'(?P<keep>["\']?[\w.-]*{SOUNDS}[\w.-]*["\']?\s*[=:]\s*)(?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s,;&"\'}}\]]+)',
            re.IGNORECASE,
        ),
        rf"\g<keep>{GONE}",
    ),
    Rule(re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")),  # JSON Web Tokens
    Rule(
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|glpat-[\w-]{16,}|A[KS]IA[A-Z0-9]{16}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,})"
        )
    ),
)


def own(patterns: Iterable[str]) -> tuple[Rule, ...]:
    """Rules of the user's; raises `UsageRefused` for what is no regular expression."""
    rules = []
    for each in patterns:
        try:
            rules.append(Rule(re.compile(each)))
        except re.error as error:
            raise UsageRefused(
                f"--redact {each!r} is no regular expression: {error}", "see the re module of Python"
            ) from None
    return tuple(rules)


def literal(text: str, into: str = GONE) -> tuple[Rule, ...]:
    """A rule for this very text; none for one that is too short to mean anything."""
    return (Rule(re.compile(re.escape(text)), into.replace("\\", r"\\")),) if len(text) >= SHORTEST else ()


def redacted(text: str, rules: Sequence[Rule]) -> tuple[str, int]:
    """The text without what the rules find, and how many places that were."""
    places = 0
    for rule in rules:
        text, found = rule.pattern.subn(rule.into, text)
        places += found
    return text, places
