"""One HTML page that needs nothing else: figures inside as data, no script, no font, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from msgspec import Struct

from devdns_bench.drawing import tables
from devdns_bench.drawing.figures import Vector
from devdns_bench.drawing.tables import Table

CSS = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; background: #fff; border-radius: 4px; }
figcaption, caption { text-align: left; margin: .4rem 0; } caption { font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; margin: 1rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child { text-align: left; } nav ul { columns: 2; } .mark { color: #c00; font-weight: 700; }
""".strip()
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Picture(Struct, frozen=True):
    """A figure with the sentence under it that says what it shows; `name` is its file's."""

    name: str
    vector: Vector
    sentence: str


class Section(Struct, frozen=True):
    """A heading and what follows it, in order; a string is a paragraph of plain text."""

    title: str
    parts: tuple[str | Picture | Table, ...]

    @property
    def anchor(self) -> str:
        """Its place in the page."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())


def page(title: str, sections: Sequence[Section], mark: str = "") -> str:
    """The whole document; `mark` is a warning above everything (that the rows are made up, for one)."""
    return "\n".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n<main>",
        f"<h1>{escape(title)}</h1>",
        *([f'<p class="mark">{escape(mark)}</p>'] if mark else []),
        "<nav><ul>",
        *(f'<li><a href="#{section.anchor}">{escape(section.title)}</a></li>' for section in sections),
        "</ul></nav>",
        *(_section(section) for section in sections),
        "</main>\n</body>\n</html>\n",
    ])  # fmt: skip


def _section(section: Section) -> str:
    lines = [f'<section id="{section.anchor}">', f"<h2>{escape(section.title)}</h2>"]
    return "\n".join([*lines, *(_part(part) for part in section.parts), "</section>"])


def _part(part: str | Picture | Table) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Table):
        return tables.html(part)
    image = base64.b64encode(part.vector.svg).decode()
    sentence = escape(part.sentence)
    return (
        f'<figure id="{escape(part.name)}"><img alt="{sentence}" src="data:image/svg+xml;base64,{image}">'
        f"<figcaption>{sentence}</figcaption></figure>"
    )


def write(folder: Path, title: str, sections: Sequence[Section], mark: str = "") -> list[Path]:
    """`index.html`, and each figure as NAME.svg and NAME.pdf, each table as NAME.tex beside it; what was written, in order."""
    files = {"index.html": page(title, sections, mark).encode()}
    for part in (part for section in sections for part in section.parts):
        if isinstance(part, Picture):
            files |= {f"{part.name}.svg": part.vector.svg, f"{part.name}.pdf": part.vector.pdf}
        elif isinstance(part, Table):
            files[f"{part.name}.tex"] = tables.latex(part).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]
