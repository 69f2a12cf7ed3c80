"""Our block in a hosts file: put in, changed and taken out with every other byte where it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import DevdnsError
from devdns.system.hosts import MOST_NAMES, has_block, names_in, torn, with_block, without_block

OWNER, OTHER = "/home/me/.local/state/devdns", "/home/me/.local/state/devdns2"
LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n>"), max_size=30), max_size=8)
NAMES = st.lists(st.sampled_from(["api.dev.test", "web.dev.test", "a.b.dev.test"]), unique=True)


def test_the_block_as_people_see_it():
    assert with_block(b"127.0.0.1 localhost\n", OWNER, ["web.dev.test", "api.dev.test"]) == (
        b"127.0.0.1 localhost\n"
        b"# >>> devdns /home/me/.local/state/devdns\n"
        b"127.0.0.1\tapi.dev.test\n::1\tapi.dev.test\n"
        b"127.0.0.1\tweb.dev.test\n::1\tweb.dev.test\n"
        b"# <<< devdns /home/me/.local/state/devdns\n"
    )


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), NAMES, NAMES)
def test_any_file_is_as_it_was_when_the_block_is_out(lines, end, ended, first, second):
    text = (end.join(lines) + (end if ended else "")).encode()
    once = with_block(text, OWNER, first)
    assert names_in(once, OWNER) == tuple(sorted(first))
    twice = with_block(with_block(once, OTHER, second), OWNER, second)
    assert names_in(twice, OWNER) == names_in(twice, OTHER) == tuple(sorted(second))
    assert without_block(without_block(twice, OTHER), OWNER) == text
    assert without_block(without_block(twice, OWNER), OTHER) == text
    assert without_block(once, OWNER) == text


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_what_others_write_around_the_block_stays(end):
    text = with_block(b"127.0.0.1 localhost" + end, OWNER, ["api.dev.test"])
    text = b"10.0.0.1 first" + end + text + b"10.0.0.2 last"
    text = with_block(text, OWNER, ["api.dev.test", "web.dev.test"])
    assert without_block(text, OWNER) == b"10.0.0.1 first" + end + b"127.0.0.1 localhost" + end + b"10.0.0.2 last"


def test_only_names_get_into_the_file():
    """Root writes down what another user's process tells."""
    hostile = [
        "a.dev.test\n6.6.6.6\tbank.example",
        "a.dev.test 6.6.6.6",
        "a.dev.test\r",
        "localhost",
        "x\u2028.test",
        "-a.test",
        "",
    ]
    hostile += [f"{'a' * 64}.test", f"{'a.' * 130}test", "#.test", "*.api.test", "A.test"]
    assert names_in(with_block(b"", OWNER, [*hostile, "xn--bcher-kva.dev.test"]), OWNER) == ("xn--bcher-kva.dev.test",)
    assert with_block(b"", OWNER, hostile) == with_block(b"", OWNER, [])
    many = with_block(b"", OWNER, [f"n{number}.test" for number in range(MOST_NAMES + 1)])
    assert len(names_in(many, OWNER)) == MOST_NAMES


def test_lines_end_as_those_of_the_file():
    text = with_block(b"127.0.0.1 localhost\r\n", OWNER, ["api.dev.test"])
    assert text.count(b"\n") == text.count(b"\r\n") == 5


def test_a_line_without_end_gets_it_back_also_when_somebody_wrote_behind_the_block():
    text = with_block(b"127.0.0.1 localhost", OWNER, [])
    assert without_block(text, OWNER) == b"127.0.0.1 localhost"
    assert without_block(text + b"10.0.0.2 last\n", OWNER) == b"127.0.0.1 localhost\n10.0.0.2 last\n"


def test_half_a_block_is_not_guessed_at():
    text = with_block(b"", OWNER, ["api.dev.test"])
    for cut in (text[: text.index(b"# <<<")], text[text.index(b"127") :]):
        for act in (lambda half: with_block(half, OWNER, []), lambda half: without_block(half, OWNER)):
            with pytest.raises(DevdnsError, match="marks"):
                act(cut)
    assert not has_block(text, OWNER.removesuffix("s"))


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_a_writing_that_was_cut_off_anywhere_is_known_and_another_text_is_not(old, new, data):
    cut = data.draw(st.integers(0, len(new)))
    assert torn(new[:cut] + old[cut:], old, new) == (new[:cut] + old[cut:] not in (old, new))
    assert torn(new + old[len(new) :], old, new) == (new + old[len(new) :] not in (old, new))
    assert not torn(old, old, new)
    assert not torn(new, old, new)
    assert not torn(b"\xff" + old + new + b"\xff", old, new)
