"""The resolver under atheris, for minutes, from the kept corpus; what it finds new is printed in the corpus's form."""

import os
import subprocess
import sys

import pytest
from support.source import ROOT

pytestmark = pytest.mark.evidence
SECONDS = os.environ.get("EVIDENCE_SECONDS", "120")
ATHERIS = "atheris==3.0.0"
HARNESS = ROOT / "tests" / "fuzz" / "dns_responder.py"
CORPUS = HARNESS.with_suffix(".corpus")


def test_atheris_finds_nothing_in_the_resolver(tmp_path):
    get = [sys.executable, "-m", "pip", "install", "-q", "--target", tmp_path / "atheris", ATHERIS]
    subprocess.run(get, check=True)
    for name in ("kept", "found"):
        (tmp_path / name).mkdir()
    for number, line in enumerate(CORPUS.read_text().split()):
        (tmp_path / "kept" / str(number)).write_bytes(bytes.fromhex(line))
    ran = subprocess.run(
        [sys.executable, HARNESS, f"-max_total_time={SECONDS}", "-max_len=600", "-timeout=5", "found", "kept"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "atheris")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    print("\n" + next(line for line in reversed(ran.stderr.splitlines()) if "Done" in line))
    for each in sorted((tmp_path / "found").iterdir()):
        print(each.read_bytes().hex())
