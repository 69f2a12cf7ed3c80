"""What the proxy answers itself instead of a service: a `Problem`, which `pages` turns into HTML, JSON or plain text.

A problem is data: nothing here renders, and everything in it that came from a request is untrusted text.
"""

from __future__ import annotations

from msgspec import Struct


class Problem(Struct, frozen=True, gc=False):
    """One refused or failed request, in words.

    `title` is a short line without a full stop, `detail` says what happened and to which value, `hint` is the line that
    mends it. `host` is the canonical host asked for and `path` the raw target (both untrusted, perhaps empty). `live` lists the
    names of the routes that would have worked, `name` without a scheme. `retry_after` is in seconds, None where waiting does not help;
    `reload`: a page may ask again by itself then. `location` is where a redirect leads, `scheme` the one of the links to other names.
    """

    status: int
    title: str
    detail: str = ""
    hint: str = ""
    host: str = ""
    path: str = ""
    live: tuple[str, ...] = ()
    retry_after: int | None = None
    request_id: str = ""
    reload: bool = False
    location: str = ""
    scheme: str = "http"
