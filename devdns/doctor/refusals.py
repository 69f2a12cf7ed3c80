"""Dev servers that refuse a Host they were not told of, known by what they answer; and the line that allows it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct


class Reply(Struct, frozen=True):
    """What came back through the proxy: `text` is the beginning of the body, `failure` why there is no reply at all."""

    status: int = 0
    text: str = ""
    location: str = ""
    failure: str = ""
    ms: float = 0.0
    path: str = "/"


class Refusal(Struct, frozen=True):
    """A server that refuses hosts: its name, the statuses and the text that it answers with, and the line that allows the host."""

    server: str
    statuses: tuple[int, ...]
    text: re.Pattern[str]
    allow: Callable[[str, str], str]
    path: str = "/"


def _rule(server: str, status: int, text: str, allow: Callable[[str, str], str], path: str = "/") -> Refusal:
    return Refusal(server, (status,), re.compile(text), allow, path)


#: `allow` gets the zone and the host.
REFUSALS = (
    _rule(
        "Vite",
        403,
        r'Blocked request\. This host \((?:"|&quot;).*(?:"|&quot;)\) is not allowed',
        lambda zone, _: f"server: {{ allowedHosts: ['.{zone}'] }} in vite.config.js",
    ),
    _rule(
        "webpack-dev-server",
        403,
        r"\AInvalid Host header",
        lambda zone, _: f"devServer: {{ allowedHosts: ['.{zone}'] }} in webpack.config.js",
    ),
    _rule(
        "Django",
        400,
        r"DisallowedHost|Invalid HTTP_HOST header|You may need to add .* to ALLOWED_HOSTS",
        lambda zone, _: f"ALLOWED_HOSTS = ['.{zone}'] in settings.py",
    ),
    _rule(
        "Rails",
        403,
        r"Blocked hosts?: ",
        lambda zone, _: f'config.hosts << ".{zone}" in config/environments/development.rb',
    ),
    _rule(
        "Next.js",
        403,
        r"\AUnauthorized\Z|Blocked cross-origin request|allowedDevOrigins",
        lambda zone, _: f"allowedDevOrigins: ['*.{zone}'] in next.config.js",
        "/_next/",
    ),
    _rule(
        "Starlette or FastAPI",
        400,
        r"\AInvalid host header\Z",
        lambda zone, _: f"TrustedHostMiddleware, allowed_hosts=['*.{zone}']",
    ),
    _rule("ASP.NET", 400, r"Invalid Hostname", lambda zone, _: f'"AllowedHosts": "*.{zone}" in appsettings.json'),
)


def refusal(reply: Reply) -> Refusal | None:
    """Whose refusal of a host this is; None for any other reply."""
    return next((each for each in REFUSALS if _fits(each, reply)), None)


def _fits(rule: Refusal, reply: Reply) -> bool:
    there = rule.path == "/" or reply.path.startswith(rule.path)
    return there and reply.status in rule.statuses and rule.text.search(reply.text.strip()) is not None
