"""What `devdns routes --watch` prints: the events of control as they come, and beside them what is found to be wrong.

A thread reads the event stream; the command itself asks for problems now and then, and notices a reader that left.
"""

from __future__ import annotations

import json
import queue
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator

from devdns.cli.client import Body, Client
from devdns.cli.show import source_text, target_text, trouble_lines
from devdns.cli.text import ReaderGone, clean, state_look, style
from devdns.core.errors import DevdnsError

RECONNECT_SECONDS = 0.2
TURN = "turn"
TURN_SECONDS = 1.0  # how often it asks what is wrong
Event = tuple[str, Body]


def watch_lines(client: Client, table_lines: Callable[[Body], list[str]], *, as_json: bool) -> Iterator[str]:
    """What to print, for as long as there is a devdns and a reader; raises `NotRunning`, `ReaderGone`."""
    known: Body = {"sources": [], "problems": []}
    for event, body in _events(client):
        if as_json:
            yield from [json.dumps({"event": event} | body)] if event != TURN else []
        elif event == "table":
            known = _status(client, known)
            yield "\n".join((*table_lines(body), *trouble_lines(known["sources"])))
        elif event == "change":
            yield from _change_lines(body)
        else:
            before, known = known, _status(client, known)
            yield from _problem_lines(before["problems"], known["problems"])


def _events(client: Client) -> Iterator[Event]:
    """The event stream, and a `turn` once a second."""
    heard: queue.Queue[Event | DevdnsError] = queue.Queue()
    threading.Thread(target=_hear, args=(client, heard), daemon=True).start()
    turn = time.monotonic() + TURN_SECONDS
    while True:
        try:
            word = heard.get(timeout=max(0.0, turn - time.monotonic()))
        except queue.Empty:
            _check_reader()
            yield TURN, {}
            turn = time.monotonic() + TURN_SECONDS
        else:
            if isinstance(word, DevdnsError):
                raise word
            yield word


def _hear(client: Client, heard: queue.Queue[Event | DevdnsError]) -> None:
    """Follows the stream; when control restarts it asks again and goes on."""
    while True:
        try:
            for event in client.events("/api/v1/routes/events"):
                heard.put(event)
        except DevdnsError as error:
            heard.put(error)
            return
        time.sleep(RECONNECT_SECONDS)


def _check_reader() -> None:
    """A pipe whose reader left is in error before anything is written to it."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if any(each & (select.POLLERR | select.POLLHUP) for _, each in poll.poll(0)):
        raise ReaderGone


def _status(client: Client, last: Body) -> Body:
    """What `devdns status` shows; the last known one while control cannot say."""
    try:
        return client.ask("GET", "/api/v1/status")
    except DevdnsError:  # when it is gone for good, the event stream says so
        return last


def _now() -> str:
    return style(sys.stdout)(time.strftime("%H:%M:%S"), "dim")


def _problem_lines(before: list[str], after: list[str]) -> Iterator[str]:
    paint = style(sys.stdout)
    for each in after:
        if each not in before:
            yield f"{_now()} {paint('!', 'yellow')} {clean(each)}"
    for each in before:
        if each not in after:
            yield f"{_now()} {paint('over', 'green')} {clean(each)}"


def _change_lines(body: Body) -> Iterator[str]:
    paint = style(sys.stdout)
    for name in body["removed"]:
        yield f"{_now()} {paint('-', 'red')} {clean(name)}"
    for row in body["added"]:
        state = paint(clean(row["state"]), state_look(row["state"]))
        reason = f" ({clean(row['reason'])})" if row.get("reason") else ""
        yield (
            f"{_now()} {paint('+', 'green')} {clean(row.get('url') or row['name'])}  "
            f"{clean(target_text(row['targets']))}  {state}{reason}  {clean(source_text(row))}"
        )
