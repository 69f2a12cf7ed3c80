"""The parts of a bundle: names and texts, redacted and cut to what may be, and the archive of them. Pure but for the archive's bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from devdns.diagnostics.redaction import Rule, redacted

#: Bytes of one part: the end of a log says most.
MOST = 1 << 20
COMPONENTS = {
    "versions": "devdns, Python, the system",
    "status": "what runs, as devdns status",
    "routes": "names and where they go",
    "doctor": "what devdns doctor finds",
    "config": "devdns.yml and the variables of devdns",
    "logs": "the log of devdns up --detach",
    "state": "what is kept in the state folder, without keys, token and certificates",
    "permissions": "who may read and write what there",
    "git": "commit, branch and remote of the project",
}


class Part(Struct, frozen=True):
    """A file of the bundle. `redactions` is how many places were taken out, `cut` how many bytes at its beginning."""

    component: str
    name: str
    text: str
    redactions: int = 0
    cut: int = 0

    @property
    def size(self) -> int:
        return len(self.text.encode())


def chosen(wanted: Sequence[str], unwanted: Sequence[str]) -> list[str]:
    """The components, in their order: all, or those that are named, without those that are not wanted."""
    return [each for each in COMPONENTS if (not wanted or each in wanted) and each not in unwanted]


def clean(part: Part, rules: Sequence[Rule]) -> Part:
    """Without secrets; the name, too."""
    text, places = redacted(part.text, rules)
    return replace(part, name=redacted(part.name, rules)[0], text=text, redactions=places)


def fitted(parts: Iterable[Part], limit: int) -> list[Part]:
    """Each part at most `MOST` bytes, and all of them at most `limit`: who comes late is cut, from its beginning."""
    left, kept = limit, []
    for part in parts:
        room = min(MOST, left)
        data = part.text.encode()
        if len(data) > room:
            text = data[len(data) - room :].decode("utf-8", "ignore")
            part = replace(part, text=text, cut=len(data) - len(text.encode()))  # noqa: PLW2901 - the same part, shorter
        kept.append(part)
        left -= part.size
    return kept


def manifest(parts: Sequence[Part]) -> Part:
    """What is in the bundle, for who opens it."""
    lines = [f"{part.size:>8}  {part.name}{note(part)}" for part in parts]
    return Part("", "MANIFEST.txt", "".join(f"{line}\n" for line in lines))


def note(part: Part) -> str:
    """What was taken out of a part, in words."""
    said = [f"{part.redactions} redacted"] if part.redactions else []
    said += [f"the first {part.cut} bytes left out"] if part.cut else []
    return f"  ({', '.join(said)})" if said else ""


def archive(parts: Iterable[Part], folder: str, now: float) -> bytes:
    """A `.tar.gz` with one folder; its files are for their owner alone."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=now) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for part in parts:
            data = part.text.encode()
            entry = tarfile.TarInfo(f"{folder}/{part.name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()
