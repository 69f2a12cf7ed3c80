"""Sources: how strong each is."""

import pytest

from devdns.core.sources import PRECEDENCE, Refusal, Statement, Trouble, rank


def test_the_order_of_the_design():
    names = ["manual", "file:/home/me/devdns.yml", "run", "docker", "mdns", "peers"]
    assert [rank(name) for name in names] == list(range(len(PRECEDENCE)))


def test_a_source_may_have_several_of_its_kind():
    assert rank("docker:tcp://10.0.0.1:2375") == rank("docker")


@pytest.mark.parametrize("name", ["", "dockers", "File", ":docker"])
def test_an_unknown_kind_is_an_error_of_ours(name):
    with pytest.raises(ValueError, match="not in"):
        rank(name)


def test_silence_and_trouble_differ():
    assert Statement() == Statement((), ())
    assert Statement() != Trouble("")
    assert not Refusal("o", "n", "r").quiet
