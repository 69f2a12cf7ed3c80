"""`devdns bundle` against a devdns that runs: shown first, then written for its owner alone, without the token and the key."""

from __future__ import annotations

import tarfile
from pathlib import Path

from support.stack import Stack

CONFIG = "routes: {api: 5173, db: 'http://127.0.0.1:9'}\n# password: hunter2\n"


def test_a_bundle_of_a_devdns_that_runs(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("GET /?token=hunter2 \n")
    flags = ("bundle", "--without", "git", "--file", "access.log")
    with Stack(tmp_path, CONFIG) as stack:
        token = (stack.state / "token").read_text().strip()
        shown = stack.run(*flags, "--dry-run", check=0).stdout
        assert "devdns.yml  (1 redacted)" in shown
        assert "there is no terminal to ask on" in stack.run(*flags, check=2).stderr
        assert not list(tmp_path.glob("devdns-bundle-*"))
        stack.run(*flags, "--yes", check=0, MY_TOKEN=token)
    (made,) = tmp_path.glob("devdns-bundle-*.tar.gz")
    assert made.stat().st_mode & 0o777 == 0o600
    with tarfile.open(made) as tar:
        texts = {each.name.partition("/")[2]: (tar.extractfile(each) or each).read().decode() for each in tar}  # type: ignore[union-attr]
    assert {"MANIFEST.txt", "status.json", "routes.json", "doctor.json", "devdns.yml", "versions.txt"} <= set(texts)
    assert "git.txt" not in texts
    assert "api.dev.test" in texts["routes.json"]
    for text in texts.values():
        assert token not in text
        assert "hunter2" not in text


def test_a_bundle_without_devdns(tmp_path: Path) -> None:
    stack = Stack(tmp_path, CONFIG)
    shown = stack.run("bundle", "--yes", "--with", "status", "--with", "permissions", check=0).stdout.splitlines()
    assert [line.split()[1] for line in shown[:-1]] == ["status.json", "permissions.txt"]
