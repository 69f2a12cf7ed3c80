"""No secret gets into a bundle, whatever it stands in; and what is none stays readable."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import UsageRefused
from devdns.diagnostics import collecting
from devdns.diagnostics.parts import COMPONENTS, MOST, Part, archive, chosen, clean, fitted, manifest
from devdns.diagnostics.redaction import RULES, literal, own, redacted

SECRET = "hunter2-S3CR3T"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}",
        f"proxy-authorization: Basic {SECRET}",
        f'{{"Authorization": "Digest a=1, b={SECRET}"}}',
        f"curl -H 'authorization: bearer {SECRET}'",
        f"Set-Cookie: id={SECRET}; HttpOnly",
        f"postgres://me:{SECRET}@db.dev.test:5432/x",
        f"https://{SECRET}@github.com/me/repo.git",
        f"DB_PASSWORD={SECRET}",
        f"export API_KEY='{SECRET}'",
        f'{{"client_secret": "{SECRET}"}}',
        f'"password": "with \\" quote {SECRET}"',
        f"token: {SECRET}",
        f"GET /x?access_token={SECRET}&page=2",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n",
        "eyJhbGciOiJIUzI1NiJ9.hunter2-S3CR3T.abc",
    ],
)
def test_a_secret_is_taken_out(line: str) -> None:
    text, places = redacted(f"before\n{line}\nafter", RULES)
    assert SECRET not in text
    assert places
    assert text.startswith("before\n")


@pytest.mark.parametrize(
    "line",
    [
        "http://api.dev.test:8080/a?page=2",
        "api.dev.test -> http://127.0.0.1:5173: live",
        '"name": "api.dev.test", "state": "live"',
        "2026-11-20T12:00:00Z info ready dns=127.0.0.1:5300",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert redacted(line, RULES) == (line, 0)


def test_the_rest_of_a_line_stays_readable() -> None:
    assert redacted("DB_PASSWORD=x1 DB_HOST=db", RULES)[0] == "DB_PASSWORD=[redacted] DB_HOST=db"
    assert redacted("GET /x?token=abc&page=2", RULES)[0] == "GET /x?token=[redacted]&page=2"


def test_rules_of_the_user_and_literals() -> None:
    rules = (*own([r"ACME-\d+"]), *literal("/home/ada", "~"), *literal("x"))
    assert redacted("ACME-17 in /home/ada/app x", rules) == ("[redacted] in ~/app x", 2)
    with pytest.raises(UsageRefused):
        own(["("])


@given(st.text(max_size=200), st.text("abcXYZ019", min_size=8, max_size=20))
def test_a_value_behind_a_word_that_sounds_like_a_secret_never_stays(around: str, value: str) -> None:
    part = clean(Part("logs", "log", f"{around}\nSESSION_TOKEN={value}\n"), RULES)
    assert f"SESSION_TOKEN={value}" not in part.text


def test_components_are_chosen_in_their_order() -> None:
    assert chosen((), ("logs",)) == [each for each in COMPONENTS if each != "logs"]
    assert chosen(("git", "status"), ()) == ["status", "git"]


def test_the_end_of_what_is_too_long_is_kept() -> None:
    one, two, three = fitted(
        [Part("logs", "a", "é" * MOST), Part("logs", "b", "x" * 100), Part("logs", "c", "y")], MOST + 40
    )
    assert MOST - 2 <= one.size <= MOST
    assert one.cut + one.size == 2 * MOST
    assert (two.text, two.cut, three.size) == ("x" * (40 + MOST - one.size), 100 - two.size, 0)


def test_the_archive_is_for_its_owner() -> None:
    parts = [Part("logs", "log/devdns.log", "one\n", redactions=2)]
    with tarfile.open(fileobj=io.BytesIO(archive([manifest(parts), *parts], "b", 1.0))) as tar:
        assert {each.name: each.mode for each in tar} == {"b/MANIFEST.txt": 0o600, "b/log/devdns.log": 0o600}
        (said,) = [tar.extractfile(each) for each in tar if each.name == "b/MANIFEST.txt"]
        assert said is not None
        assert said.read() == b"       4  log/devdns.log  (2 redacted)\n"


def test_links_and_secrets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "routes.json").symlink_to("token")
    (found,) = collecting.state(tmp_path)
    assert (found.name, SECRET in found.text) == ("state/routes.json.left-out", False)
    (tmp_path / "other").hardlink_to(tmp_path / "token")
    for path in (tmp_path / "token", tmp_path / "other", tmp_path / "routes.json", tmp_path / "none", tmp_path):
        with pytest.raises(UsageRefused):
            list(collecting.files([path], tmp_path))
