"""A provider at work on a real engine."""

from collections.abc import AsyncIterator

import pytest
from support.docker_heard import Heard, watching
from support.engine import Engine


@pytest.fixture
async def heard(engine: Engine) -> AsyncIterator[Heard]:
    """A provider on the tests' engine that has said its first word."""
    async with watching(engine.url) as heard:
        await heard.until(lambda: heard.words, "the first word")
        yield heard
