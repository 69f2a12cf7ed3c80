"""What happened to each container lately, in a few words, for the journal of changes. Pure and bounded."""

from __future__ import annotations

from collections.abc import Callable

#: What follows from the end of a container, rather than being news of its own.
ENDS = ("kill", "die", "destroy", "remove")
KNOCK = "a look at its port"
#: What only says that something has been done.
ECHOES = ("stop", "restart", "cleanup", "init", "sync", "update")
MOST = 2_000
MOST_WORDS = 3


class Causes:
    """The last words about each container, by its id; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[str, ...]] = {}

    def note(self, name: str, word: str) -> None:
        """Something happened to a container."""
        if word in ECHOES:
            return
        before = self._words.pop(name, ())
        follows = word == KNOCK or (before and before[0].startswith(ENDS) and word.startswith(ENDS))
        kept = tuple(each for each in before if each != word) if follows else ()
        self._words[name] = (*kept, word)[-MOST_WORDS:]
        while len(self._words) > MOST:
            del self._words[next(iter(self._words))]

    def told(self, owner: Callable[[str], str]) -> dict[str, str]:
        """The words by owner of the containers."""
        return {who: ", ".join(words) for name, words in self._words.items() if (who := owner(name))}
