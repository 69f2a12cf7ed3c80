"""`devdns env`: variables for a shell, so that programs trust the CA and know the URLs: eval "$(devdns env)"."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from devdns.cli.client import Body, Client
from devdns.cli.options import common, json_option, option
from devdns.cli.show import address_text, print_json
from devdns.cli.text import clean, say
from devdns.exports.shell import SHELLS, Place, Urls, no_proxy, text, urls
from devdns.system.bundle import bundle
from devdns.system.certificate import read

VERSION = 1
CA = "ca.pem"
WHOLE = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # they stand in the stead of the system's store
ALONE = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")  # they add to the program's own


@click.command()
@option("--shell", type=click.Choice(SHELLS), default="sh", help="Whose syntax; sh does for bash and zsh, too.")
@json_option
@common
def env(*, state_dir: Path, config: Path | None, shell: str, as_json: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """Print the CA and the URLs as variables for a shell."""
    client = Client(state_dir)
    status = client.ask("GET", "/api/v1/status")
    found = _urls(status, client.ask("GET", "/api/v1/routes"))
    variables = {**_certificates(state_dir), **_proxies(os.environ, status["zones"]), **found.variables}
    for name, why in found.left_out.items():
        say(f"devdns: {clean(name)} has no variable: {clean(why)}", stream=sys.stderr)
    if as_json:
        print_json({"version": VERSION, "variables": variables, "left_out": found.left_out})
    else:
        sys.stdout.write(text(variables, shell))
        sys.stdout.flush()


def _certificates(state_dir: Path) -> dict[str, str]:
    """Where the CA is; nothing before there is one."""
    if not (state_dir / CA).exists():
        return {}
    whole = str(bundle(state_dir, read(state_dir / CA)))
    return {**dict.fromkeys(WHOLE, whole), **dict.fromkeys(ALONE, str(state_dir / CA))}


def _proxies(environ: Mapping[str, str], zones: list[str]) -> dict[str, str]:
    """Both spellings: programs read one or the other."""
    known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return dict.fromkeys(("no_proxy", "NO_PROXY"), no_proxy(known, zones))


def _urls(status: Body, body: Body) -> Urls:
    """Of the routes that answer now; by https where it is listened for. Raw TCP has no URL that programs share."""
    secure = next(iter(status["listeners"].get("https") or ()), None)
    live = [row for row in body["routes"] if row["state"] == "live" and not row["port"]]
    places = [Place(row["host"], row["prefix"], _url(row, secure)) for row in live]
    return urls(places, status["zones"][0])


def _url(row: Body, secure: tuple[str, int] | None) -> str:
    if secure is None:
        return str(row["url"])
    port = address_text(secure).rpartition(":")[2]
    return f"https://{row['host']}{'' if port == '443' else f':{port}'}{row['prefix']}"
