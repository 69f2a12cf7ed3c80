"""What failed, as control is told it."""

from support.http_proxy import GET, LAST, UNHELD, backend, route, running

from devdns.core.routes import State
from devdns.core.sightings import MOST_FAILURES
from devdns_proxy.failures import Failures


def test_the_routes_that_failed_last_are_kept():
    failures = Failures()
    for number in range(MOST_FAILURES):
        failures.note(f"{number}.dev.test", 502, "down")
    failures.note("0.dev.test", 503, "restarting")
    failures.note("new.dev.test", 502, "down")
    kept = {failure.route: failure for failure in failures}
    assert len(kept) == MOST_FAILURES
    assert "1.dev.test" not in kept
    assert (kept["0.dev.test"].count, kept["0.dev.test"].status, kept["0.dev.test"].reason) == (2, 503, "restarting")


async def test_a_refusal_of_a_service_is_a_sighting():
    async with running(route("api", 1), limits=UNHELD) as proxy:
        assert proxy.proxy.sightings("life").targets == ()
        await proxy.say(LAST)
        seen = proxy.proxy.sightings("life")
        assert [(each.target, each.open, each.waiting) for each in seen.targets] == [("http://127.0.0.1:1", True, 0)]
        assert [(each.route, each.count, each.status) for each in seen.failures] == [("api.dev.test", 1, 502)]


async def test_what_is_nobodys_failure_is_none():
    async with running(route("api", 1, state=State.UNHEALTHY)) as proxy:
        await proxy.say(LAST.replace(b"api", b"unknown"))
        await proxy.say(LAST.replace(b"Host", b"No-Host"))
        assert proxy.proxy.sightings("life").failures == ()


async def test_a_response_that_breaks_off_is_a_failure():
    async def breaking(_, wire):
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    async with backend(breaking) as service, running(route("api", service.port)) as proxy:
        await proxy.say(GET)
        assert [each.reason for each in proxy.proxy.sightings("life").failures] == ["its response broke off"]
