"""`devdns open [NAME]`: prints the URL of a name (or of devdns's own page) and opens the browser on it."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path

import click

from devdns.cli.client import Body, Client, explain_path
from devdns.cli.complete import names
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError

HTTP = 80


@click.command("open", short_help="Open a name, or the page of devdns, in the browser.")
@click.argument("name", required=False, shell_complete=names)
@json_option
@common
def browse(name: str | None, *, state_dir: Path, config: Path | None, as_json: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """Open NAME in the browser; without NAME the page of devdns itself. --json prints the URL only."""
    client = Client(state_dir)
    url = _url_of(client, name) if name is not None else _own_url(client.ask("GET", "/api/v1/status"))
    if as_json:
        print_json({"version": 1, "url": url})
        return
    say(clean(url))
    if not webbrowser.open(url):
        chosen = os.environ.get("BROWSER")
        why = f"no browser of BROWSER={chosen} opened it" if chosen else "no browser is to be found"
        raise DevdnsError(why, f"{'mend' if chosen else 'set'} BROWSER, or open the URL above by hand")


def _url_of(client: Client, name: str) -> str:
    """The route's URL; the path of a URL that was given is kept."""
    body = client.ask("GET", explain_path(name))
    route = body.get("route")
    if not route:
        raise DevdnsError(f"no route has the name {body['host']!r}", f"add it with devdns add {name} PORT")
    if route["port"]:
        raise DevdnsError(
            f"{route['name']} is raw TCP, which no browser speaks", f"devdns explain {name} says where it is"
        )
    base = str(route["url"]).removesuffix(route["prefix"])
    host = str(route["host"])
    if host.startswith("*."):
        base = base.replace(host, body["host"], 1)
    return base + (body["path"] if body["path"] != "/" else route["prefix"] or "/")


def _own_url(status: Body) -> str:
    ports = [port for _, port in status["listeners"].get("http", ())]
    port = "" if HTTP in ports or not ports else f":{ports[0]}"
    return f"http://devdns.{status['zones'][0]}{port}/"
