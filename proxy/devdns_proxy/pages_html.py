"""The HTML our own answers are made of. Every text goes through `escaped`; the one style sheet is allowed by its hash."""

from __future__ import annotations

import base64
import hashlib
import html
import unicodedata
from collections.abc import Iterable
from pathlib import Path

STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CONTENT = ("Content-Type", "text/html; charset=utf-8")
QUIET = ("Referrer-Policy", "no-referrer")
HEADERS = (CONTENT, ("Content-Security-Policy", POLICY), QUIET)
#: The same for the page that follows what happens: one script, which is a file of ours, and its event stream.
LIVE_HEADERS = (CONTENT, ("Content-Security-Policy", f"{POLICY}; script-src 'self'; connect-src 'self'"), QUIET)
#: Controls, format characters (bidi overrides among them), lone surrogates, and line separators.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text with everything that steers a terminal or reorders a line written out as an escape, as Python spells it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(each) if unicodedata.category(each) in UNPRINTABLE else each for each in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def escaped(text: str) -> str:
    """Text as HTML text or attribute value."""
    return html.escape(printable(text))


def element(tag: str, text: str) -> str:
    """One element around escaped text; nothing for empty text."""
    return f"<{tag}>{escaped(text)}</{tag}>" if text else ""


def link(url: str, text: str) -> str:
    """A link. `url` must begin with http: or https:, so that no name can make it anything else."""
    return f'<a href="{escaped(url)}">{escaped(text)}</a>'


def items(lines: Iterable[str]) -> str:
    """A list of lines of HTML; nothing when there are none."""
    inside = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{inside}</ul>" if inside else ""


def document(title: str, body: str, more: str = "") -> bytes:
    """A whole page around `body`, with `more` in its head; both are HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escaped(title)}</title>{more}'
    page = f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n'
    return page.encode()
