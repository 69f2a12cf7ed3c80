"""The request that every load sends: what a browser sends to a development server."""

from __future__ import annotations

HOST = "api.dev.test"
#: What a browser sends to a development server.
HEADERS = (
    ("Host", HOST),
    ("sec-ch-ua", '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
)  # fmt: skip


def head(line: str, *more: str) -> bytes:
    """A request's head: `line` (`GET / HTTP/1.1`), the browser's fields and `more` of them."""
    fields = [f"{name}: {value}" for name, value in HEADERS]
    return "\r\n".join([line, *fields, *more, "", ""]).encode()
