"""Packed answers: whole replies kept by the bytes that asked for them, so that a hit costs a slice and a look-up.

A key is the query after its ID, its question in lower case and the data of a trailing COOKIE zeroed: what differs between
two clients asking the same. The table and the client class are not in it; who holds the answers drops them in time.
"""

from __future__ import annotations

from devdns_resolver.codes import HEADER
from devdns_resolver.counters import Cell
from devdns_resolver.query import Query

#: What stands before the data of a client's cookie, the last 8 bytes of a query of dig or BIND: option 10, length 8.
COOKIE = b"\x00\x0a\x00\x08"
NO_COOKIE = bytes(8)
#: Longer queries and replies are built anew each time; with this, 20,000 answers stay within tens of megabytes.
MAX_SIZE = 512

#: A reply without its ID; the counter of its hits; where its question's name ends; the reply before and after that name; and
#: whether lower-casing the whole query changes its name only.
Packed = tuple[bytes, Cell, int, bytes, bytes, bool]
Answers = dict[bytes, Packed]


def normal(body: bytes) -> bytes:
    """The key of a query, of which `body` follows the ID, as far as it can be made without parsing it.

    The lower-cased part ends with the first zero byte, at the latest the one that ends the question's name: length bytes
    (below 64) do not change. `storable` says for which queries the trailing bytes are a cookie indeed; whoever shares all
    bytes before them with such a query has a cookie there too.
    """
    start = HEADER - 2
    end = body.find(b"\0", start)
    key = body[:start] + body[start:end].lower() + body[end:]
    return key[:-8] + NO_COOKIE if body[-12:-8] == COOKIE else key


def storable(data: bytes, query: Query, reply: bytes) -> bool:
    """Whether `normal` of it stands for exactly the queries that get this reply."""
    if query.question is None or len(data) > MAX_SIZE or len(reply) > MAX_SIZE:
        return False
    cookie = query.edns.cookie if query.edns else None
    return cookie == ((len(data) - 8, len(data)) if data[-12:-8] == COOKIE else None)


def find(answers: Answers, body: bytes) -> Packed | None:
    """What is kept for a query that is not in `answers` as it is spelled, from what follows its ID. Counts no hit."""
    found = answers.get(body[:-8].lower() + NO_COOKIE if body[-12:-8] == COOKIE else body.lower())
    if found is None or not found[5]:  # a type such as HTTPS (65) holds a byte that looks like a letter
        found = answers.get(normal(body))
    return found


def recall(answers: Answers, data: bytes) -> bytes | None:
    """The reply to such a query, or None."""
    found = find(answers, data[2:])
    if found is None:
        return None
    _, hits, end, head, tail, _ = found
    hits[0] += 1
    return data[:2] + head + data[HEADER:end] + tail


def keep(answers: Answers, data: bytes, name_end: int, reply: bytes, hits: Cell) -> None:
    """Keeps a reply under its query's key, with the question spelled as in the key."""
    key = normal(data[2:])
    name = slice(HEADER - 2, name_end - 2)
    head, tail = reply[2:HEADER], reply[name_end:]
    rest = key[: name.start] + key[name.stop :]
    answers[key] = (head + key[name] + tail, hits, name_end, head, tail, rest.upper() == rest.lower())
