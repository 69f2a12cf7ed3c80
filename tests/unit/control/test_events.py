"""What each client of the event stream is still to be told."""

from devdns.control.events import MOST_WAITING, Events, event


def test_an_event_is_two_lines_and_an_empty_one():
    assert event("change", b'{"a":1}') == b'event: change\ndata: {"a":1}\n\n'


async def test_a_new_client_needs_the_table_and_changes_before_it_are_not_kept():
    events = Events()
    with events.subscription() as client:
        events.publish(b"early")
        assert client.behind
        client.caught_up()
        events.publish(b"one")
        events.publish(b"two")
        assert await client.ready(1)
        assert client.take() == b"onetwo"
        assert not await client.ready(0.001)
    assert len(events) == 0


async def test_one_that_falls_behind_is_told_the_table_again():
    events = Events()
    with events.subscription() as client:
        client.caught_up()
        for _ in range(MOST_WAITING + 1):
            events.publish(b"x")
        assert client.behind
        assert client.take() == b""


async def test_a_change_too_big_for_an_event_means_the_table_again():
    events = Events()
    with events.subscription() as client:
        client.caught_up()
        events.publish(None)
        assert client.behind
        assert await client.ready(1)


async def test_close_wakes_everybody():
    events = Events()
    with events.subscription() as client:
        client.caught_up()
        events.close()
        assert await client.ready(1)
        assert client.closed
