"""A table, as LaTeX (booktabs) and as HTML; all text is escaped for where it goes."""

from __future__ import annotations

from html import escape

from msgspec import Struct

TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "µ": r"\textmu{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "∞": r"$\infty$",
    "\N{EN DASH}": "--",
    "→": r"$\rightarrow$",
}


class Table(Struct, frozen=True):
    """`name` is the label and the file's name; the first column is text, the others are set to the right."""

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tex(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(TEX.get(character, character) for character in text)


def latex(table: Table) -> str:
    """A float with its caption and label, to be taken in by `input`; needs the package booktabs."""
    lines = [" & ".join(map(tex, row)) + r" \\" for row in (table.head, *table.rows)]
    columns = "l" + "r" * (len(table.head) - 1)
    return "\n".join([
        r"\begin{table}[htbp]",
        r"  \centering\small",
        rf"  \caption{{{tex(table.caption)}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    {lines[0]}",
        r"    \midrule",
        *(f"    {line}" for line in lines[1:]),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        "",
    ])  # fmt: skip


def html(table: Table) -> str:
    """A `<table>` with a caption and scoped heads, in a box that scrolls sideways."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    rows = [
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in table.rows
    ]
    return "\n".join([
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table id="{escape(table.name)}">',
        f"<caption>{escape(table.caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody></table></div>",
    ])  # fmt: skip
