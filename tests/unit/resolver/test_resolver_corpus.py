"""What fuzzing found worth keeping, once more."""

from __future__ import annotations

import importlib.util

import pytest
from support.source import ROOT

HARNESS = ROOT / "tests" / "fuzz" / "dns_responder.py"
INPUTS = [bytes.fromhex(line) for line in HARNESS.with_suffix(".corpus").read_text().split()]


@pytest.fixture(scope="module")
def harness():
    spec = importlib.util.spec_from_file_location("dns_responder", HARNESS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("data", INPUTS, ids=lambda data: data[:24].hex())
def test_what_must_hold_of_any_input_holds_of_the_kept_ones(harness, data):
    harness.check(data)
