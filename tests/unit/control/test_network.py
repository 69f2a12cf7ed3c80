"""When the network counts as another one: what the watch makes of two looks and a clock."""

import pytest
from structlog.testing import capture_logs

from devdns.control.network import SLEPT, NetworkWatch
from devdns.core.network import Scene, Way

HOME = Scene((Way("wlan0", "192.0.2.1"),), ("wlan0 192.0.2.7/24",), ("192.0.2.1",))
NONE = Scene((), (), ())


@pytest.fixture
def watch():
    made = NetworkWatch()
    made._notice(HOME, made._asleep)
    return made


def test_the_same_network_is_no_news(watch):
    assert not watch._notice(HOME, watch._asleep + SLEPT / 2)


def test_a_lost_way_out_is_a_warning_and_its_return_is_none(watch):
    epoch = watch.now.epoch
    with capture_logs() as logs:
        assert watch._notice(NONE, watch._asleep)
        assert watch._notice(HOME, watch._asleep)
    assert [each["log_level"] for each in logs] == ["warning", "info"]
    assert watch.now.epoch == epoch + 2


def test_a_machine_that_slept_may_be_anywhere(watch):
    epoch = watch.now.epoch
    with capture_logs() as logs:
        assert watch._notice(HOME, watch._asleep + 3_600)
    assert logs[0]["changes"] == ["the machine slept for 3600 s"]
    assert watch.now.epoch == epoch + 1
