"""Variables for a shell: the URL of each route, `no_proxy`, and their text so that no shell reads anything else into it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

NOT_A_WORD = re.compile(r"[^A-Z0-9]+")
QUOTES_OF_POWERSHELL = re.compile("(['\u2018\u2019\u201a\u201b])")  # all of them end its '...'

#: First words of variables that programs obey: whoever labels a container must not choose where packages and keys go.
# fmt: off - a word a line would be a page
OBEYED = frozenset(
    (
        "AWS",
        "AZURE",
        "BUN",
        "BUNDLE",
        "CARGO",
        "COMPOSER",
        "CONDA",
        "DENO",
        "DOCKER",
        "GCP",
        "GEM",
        "GIT",
        "GOOGLE",
        "GRADLE",
        "HF",
        "HOMEBREW",
        "KUBE",
        "MAVEN",
        "NODE",
        "NPM",
        "NUGET",
        "NVM",
        "OPENAI",
        "OTEL",
        "PDM",
        "PIP",
        "PIPENV",
        "PLAYWRIGHT",
        "PNPM",
        "POETRY",
        "PUPPETEER",
        "PYENV",
        "RUBYGEMS",
        "RUSTUP",
        "SENTRY",
        "TWINE",
        "UV",
        "VAULT",
        "YARN",
    )
)
# fmt: on


class Place(Struct, frozen=True):
    """A route as a client sees it: its host, its path prefix, and the URL that leads to it."""

    host: str
    prefix: str
    url: str


class Urls(Struct, frozen=True):
    """Variables by name, and the names of routes that get none, with the reason."""

    variables: dict[str, str]
    left_out: dict[str, str]


def urls(places: Iterable[Place], zone: str) -> Urls:
    """`API_URL` for `api.ZONE`, `API_V2_URL` for `api.ZONE/v2`; wildcards have no URL. `zone` is the one that short names are in."""
    plain = [place for place in places if not place.host.startswith("*.")]
    named = {place.host + place.prefix: (variable(place, zone), place.url) for place in plain}
    often = Counter(name for name, _ in named.values())
    left_out = {key: why for key, (name, _) in named.items() if (why := _refusal(name, often[name]))}
    return Urls(dict(sorted(each for key, each in named.items() if key not in left_out)), left_out)


def variable(place: Place, zone: str) -> str:
    """The name of a route's variable: capital letters, digits and underscores, no digit in front."""
    words = NOT_A_WORD.sub("_", (place.host.removesuffix(f".{zone}") + place.prefix).upper()).strip("_")
    return f"{'_' if words[:1].isdigit() else ''}{words}_URL"


def _refusal(name: str, times: int) -> str:
    """Why a variable is not set; empty where it is."""
    if times > 1:
        return f"{times} routes would be {name}"
    first, _, rest = name.removesuffix("_URL").partition("_")
    if rest and first in OBEYED:
        return f"{name} is a variable that programs may obey"
    return ""


def no_proxy(known: str, zones: Sequence[str]) -> str:
    """A `no_proxy` that holds the zones and what is below them, after what it held: programs differ in how they match."""
    held = [each.strip() for each in known.split(",") if each.strip()]
    if "*" in held:
        return known
    wanted = [form for zone in zones for form in (zone, f".{zone}")]
    return ",".join([*held, *(each for each in wanted if each not in held)])


def text(variables: Mapping[str, str], shell: str) -> str:
    """The lines that set and export the variables; `shell` is `sh`, `fish` or `powershell`."""
    return "".join(f"{LINES[shell](name, value)}\n" for name, value in variables.items())


def _sh(name: str, value: str) -> str:
    """POSIX shell, section 2.2.2: in single quotes only a single quote is special."""
    return "export {}='{}'".format(name, value.replace("'", "'\\''"))


def _fish(name: str, value: str) -> str:
    """In fish a backslash is special in single quotes, too. The semicolon is for `eval (devdns env ...)`."""
    return "set -gx {} '{}';".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))


def _powershell(name: str, value: str) -> str:
    return "$env:{} = '{}'".format(name, QUOTES_OF_POWERSHELL.sub(r"\1\1", value))


LINES = {"sh": _sh, "fish": _fish, "powershell": _powershell}
SHELLS = tuple(LINES)
