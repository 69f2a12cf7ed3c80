"""What the study refuses, as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence

from devdns.core.errors import DevdnsError


class StudyRefused(DevdnsError):
    """A file, plan or participant that cannot be used as it is."""

    exit_code = 2


class RowsRefused(StudyRefused):
    """Rows with problems: all of them, each led by the file, the row and the column; nothing of the file was taken."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{where}: {problem}" for problem in self.problems))
