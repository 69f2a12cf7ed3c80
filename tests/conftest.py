"""Rules for every test: under CI=true nothing is skipped, since `make test` itself brings every part a test needs."""

import os
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

# How long an example takes says how busy the machine is; a test that bounds time says so itself.
hypothesis.settings.register_profile("devdns", deadline=None)
hypothesis.settings.load_profile("devdns")

pytest_plugins = ["support.engine", "support.podman"]

STRICT = os.environ.get("CI") == "true"


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (CI=true: a skip is a failure)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    _fail_if_skipped(report)
    return report
