"""The click group and the error edge: what fails anywhere below becomes one line on stderr and an exit code.

Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration, 3 not running. Subcommands are imported when they
are called, so that `devdns routes` does not pay for what `devdns up` needs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from devdns import __version__
from devdns.cli.lazy import LazyGroup
from devdns.cli.options import Switches, debug_option
from devdns.cli.text import ReaderGone, clean, say, style
from devdns.core.errors import DevdnsError, UsageRefused

#: Subcommand -> where it lives, in the order of `devdns --help`.
COMMANDS = {
    "up": "devdns.cli.up:up",
    "down": "devdns.cli.down:down",
    "status": "devdns.cli.status:status",
    "routes": "devdns.cli.routes:routes",
    "add": "devdns.cli.add:add",
    "rm": "devdns.cli.rm:rm",
    "explain": "devdns.cli.explain:explain",
    "doctor": "devdns.cli.doctor:doctor",
    "bundle": "devdns.cli.bundle:bundle",
    "history": "devdns.cli.history:history",
    "open": "devdns.cli.browse:browse",
    "chaos": "devdns.cli.chaos:chaos",
    "logs": "devdns.cli.logs:logs",
    "system": "devdns.cli.system:system",
    "demo": "devdns.cli.demo:demo",
    "bench": "devdns.cli.bench:bench",
    "study": "devdns.cli.study:study",
    "trust": "devdns.cli.trust:trust",
    "untrust": "devdns.cli.untrust:untrust",
    "env": "devdns.cli.env:env",
    "export": "devdns.cli.export:export",
    "config": "devdns.cli.config:config",
    "completion": "devdns.cli.completion:completion",
    "control": "devdns.cli.parts:control",
    "resolver": "devdns.cli.parts:resolver",
    "proxy": "devdns.cli.parts:proxy",
}
UNSET = ("", "0", "false", "no", "off")
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(
    cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="devdns", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """A name instead of a port for every service of a local stack."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; nothing but SystemExit of an exec'd process leaves it otherwise."""
    switches = Switches(debug=os.environ.get("DEVDNS_DEBUG", "").lower() not in UNSET)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its answer
    try:
        done = cli.main(args=argv, prog_name="devdns", standalone_mode=False, obj=switches)
    except ReaderGone:
        _silence_stdout()
        return 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message(), stream=sys.stderr)
        return error.exit_code
    except (click.ClickException, DevdnsError) as error:
        return _refuse(error)
    except UnicodeEncodeError as error:  # a word that was not UTF-8 reached what only speaks that
        _complain(f"{str(error.object)[:80]!r} is not valid UTF-8 - see devdns --help")
        return UsageRefused.exit_code
    except Exception as error:  # noqa: BLE001 - the edge: whatever happens, one line and no traceback unless asked for
        return _surprise(error, switches)
    return done if isinstance(done, int) else 0


def _refuse(error: click.ClickException | DevdnsError) -> int:
    text = str(error)
    if isinstance(error, click.ClickException):
        where = getattr(error, "ctx", None)
        text = " ".join(error.format_message().split()).rstrip(".")
        text += f" - see {where.command_path if where else 'devdns'} --help"
    _complain(text)
    return error.exit_code


def _surprise(error: Exception, switches: Switches) -> int:
    if switches.debug:
        traceback.print_exc()
    hint = "" if switches.debug else " - run it again with --debug for the traceback"
    _complain(f"{type(error).__name__}: {error}{hint}")
    return 1


def _complain(text: str) -> None:
    paint = style(sys.stderr)
    with contextlib.suppress(ReaderGone):
        say(*(f"{paint('devdns:', 'red')} {clean(line)}" for line in text.splitlines()), stream=sys.stderr)


def _silence_stdout() -> None:
    """The interpreter flushes stdout at exit; into /dev/null that cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
