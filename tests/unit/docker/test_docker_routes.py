"""Container JSON and how it is reached -> routes and refusals."""

import pytest
from msgspec.structs import replace
from support.inspections import inspection

from devdns.core.names import Zones
from devdns.core.routes import State, Target
from devdns.providers.docker_container import NOWHERE, Ground, Reach, parse
from devdns.providers.docker_routes import Rules, plan, routes

RULES = Rules(Zones())
SERVICE = {"com.docker.compose.project": "my_shop", "com.docker.compose.service": "web_app"}
HERE = [{"HostIp": "127.0.0.1", "HostPort": "32768"}]
API = {"dev.route": "api"}


def planned(*args, rules=RULES, **options):
    return plan(parse(inspection(*args, **options)), rules)


def ports(found):
    return {str(wish.claim): wish.port for wish in found.wishes}


@pytest.mark.parametrize(
    ("labels", "options", "expected"),
    [
        (API, {}, {"api.dev.test": 8000}),
        (API, {"exposed": (), "published": {"80/tcp": HERE}}, {"api.dev.test": 80}),
        (API, {"exposed": ("53/udp", "80/tcp")}, {"api.dev.test": 80}),
        ({**API, "dev.port": "9000"}, {}, {"api.dev.test": 9000}),
        ({**API, "dev.port": "80"}, {"exposed": ("80/tcp", "443/tcp")}, {"api.dev.test": 80}),
        (
            {**API, "dev.route.admin": "admin", "dev.port": "80", "dev.port.admin": "9000"},
            {"exposed": ()},
            {"api.dev.test": 80, "admin.dev.test": 9000},
        ),
        (SERVICE, {"published": {"8000/tcp": HERE}}, {"web-app.my-shop.dev.test": 8000}),
        (
            SERVICE,
            {"exposed": ("80/tcp", "443/tcp"), "published": {"443/tcp": HERE}},
            {"web-app.my-shop.dev.test": 443},
        ),
        (
            {**SERVICE, "dev.port": "9000"},
            {"published": {"80/tcp": HERE, "9000/tcp": HERE}},
            {"web-app.my-shop.dev.test": 9000},
        ),
        ({**SERVICE, **API}, {"published": {"8000/tcp": HERE}}, {"api.dev.test": 8000}),
    ],
)
def test_names_and_ports(labels, options, expected):
    found = planned("box", labels, **options)
    assert ports(found) == expected
    assert found.refusals == ()


@pytest.mark.parametrize(
    ("labels", "options", "reason", "hint"),
    [
        (
            API,
            {"exposed": ("80/tcp", "443/tcp")},
            "container box offers several TCP ports: 80, 443",
            "add the label dev.port=80",
        ),
        (API, {"exposed": ("53/udp",)}, "container box names no TCP port", "add the label dev.port=8000"),
        (
            {"dev.route.admin": "admin"},
            {"exposed": ("80/tcp", "443/tcp")},
            "container box offers several TCP ports: 80, 443",
            "add the label dev.port.admin=80",
        ),
        (
            {"dev.port": "80"},
            {},
            "label dev.port stands without dev.route, and container box has no label dev.route and is no compose service",
            "add the label dev.route=NAME",
        ),
        (
            {**SERVICE, "dev.health": "/x"},
            {},
            "label dev.health stands without dev.route, and service web_app publishes no TCP port: a default name needs exactly one",
            "add the label dev.route=NAME",
        ),
    ],
)
def test_a_port_is_never_guessed(labels, options, reason, hint):
    found = planned("box", labels, **options)
    assert found.wishes == ()
    assert [(each.reason, each.hint, each.quiet) for each in found.refusals] == [(reason, hint, False)]


@pytest.mark.parametrize(
    ("labels", "options", "rules", "name", "reason"),
    [
        ({}, {}, RULES, "box", "container box has no label dev.route and is no compose service"),
        (
            SERVICE,
            {},
            RULES,
            "web-app.my-shop",
            "service web_app publishes no TCP port: a default name needs exactly one",
        ),
        (
            SERVICE,
            {"published": {"80/tcp": HERE, "81/tcp": HERE}},
            RULES,
            "web-app.my-shop",
            "service web_app publishes 2 TCP ports: a default name needs exactly one",
        ),
        (
            SERVICE,
            {"published": {"80/tcp": HERE}},
            replace(RULES, default_names=False),
            "web-app.my-shop",
            "docker.default_names is off",
        ),
        ({"dev.enable": "false", **API}, {}, RULES, "box", "label dev.enable is false"),
        (API, {"status": "exited"}, RULES, "api.dev.test", "container box is exited (exit code 137)"),
        (API, {"status": "created"}, RULES, "api.dev.test", "container box is created"),
        (
            {**SERVICE, **API, "com.docker.compose.oneoff": "True"},
            {},
            RULES,
            "api.dev.test",
            "container box is a one-off run, no replica of service web_app",
        ),
    ],
)
def test_what_gets_no_name_says_why_in_a_low_voice(labels, options, rules, name, reason):
    found = planned("box", labels, rules=rules, **options)
    assert found.wishes == ()
    assert [(each.name, each.reason, each.quiet) for each in found.refusals] == [(name, reason, True)]


def test_a_default_name_that_is_none_is_refused_quietly():
    found = planned("box", {**SERVICE, "com.docker.compose.project": "_"}, published={"80/tcp": HERE})
    assert found.wishes == ()
    assert [each.quiet for each in found.refusals] == [True]


def test_a_container_that_ended_and_had_no_name_is_nobodys_news():
    assert planned("box", {"dev.rout": "api"}, status="exited").refusals == ()


def one(container, reach, rules=RULES):
    found = parse(container)
    (route,) = routes(found, plan(found, rules), {} if reach is None else {8000: reach}, rules)
    return route


OPEN = Reach("10.9.0.2", 8000, open=True)
SHUT = Reach("10.9.0.2", 8000)
OWN = (Target("10.9.0.2", 8000),)


@pytest.mark.parametrize(
    ("options", "reach", "state", "targets", "reason"),
    [
        ({}, OPEN, State.LIVE, OWN, ""),
        ({"health": "healthy"}, OPEN, State.LIVE, OWN, ""),
        ({}, None, State.STARTING, OWN, "looking for the way to port 8000"),
        ({}, SHUT, State.STARTING, OWN, "nothing listens on port 8000 of container box yet"),
        ({}, replace(SHUT, tired=True), State.UNREACHABLE, OWN, "let it listen on 0.0.0.0:8000 inside the container"),
        ({}, NOWHERE, State.UNREACHABLE, OWN, "add -p 127.0.0.1::8000 to docker run"),
        ({"health": "starting"}, OPEN, State.STARTING, OWN, "has not passed yet"),
        ({"health": "unhealthy"}, OPEN, State.UNHEALTHY, OWN, "the health check of container box fails"),
        ({"status": "paused"}, OPEN, State.UNREACHABLE, OWN, "docker unpause box"),
        ({"status": "restarting"}, None, State.RESTARTING, (), "exit code 137 and is being restarted"),
        ({}, Reach("127.0.0.1", 32768, open=True, published=True), State.LIVE, (Target("127.0.0.1", 32768),), ""),
        ({}, Reach("fd00::2", 8000, open=True), State.LIVE, (Target("fd00::2", 8000),), ""),
        ({}, Reach("169.254.169.254", 80, open=True), State.UNREACHABLE, (), "169.254.169.254"),
    ],
)
def test_states(options, reach, state, targets, reason):
    route = one(inspection("box", API, **options), reach)
    assert (route.state, route.targets) == (state, targets)
    assert reason in route.reason
    assert bool(route.reason) is (state is not State.LIVE)


def test_the_line_that_publishes_names_the_compose_service():
    reason = one(inspection("box", {**SERVICE, **API}), NOWHERE).reason
    assert reason.endswith('add ports: ["127.0.0.1::8000"] to service web_app')


def test_an_engine_elsewhere_needs_the_port_on_an_outside_address():
    reason = one(inspection("box", API), NOWHERE, replace(RULES, ground=Ground("box.lan", routed=False))).reason
    assert reason.endswith("add -p 8000 to docker run")


def test_a_published_port_that_does_not_answer_says_so():
    reason = one(inspection("box", API, published={"8000/tcp": HERE}), NOWHERE).reason
    assert reason == "port 8000 of container box is published, and does not answer at 127.0.0.1"


def test_a_container_on_no_network_is_not_told_to_publish():
    """What `--network none` makes: publishing a port of it does nothing."""
    route = one(inspection("box", API, addresses={"none": ""}, mode="none"), NOWHERE)
    assert (route.state, route.targets) == (State.UNREACHABLE, ())
    assert route.reason == "port 8000 of container box is on no network with an address: run it with --network bridge"


def test_scheme_options_owner_and_origin_are_in_the_route():
    labels = {**API, **SERVICE, "dev.scheme": "https", "dev.host": "localhost"}
    route = one(inspection("box", labels), OPEN)
    assert (str(route.targets[0]), route.options.host) == ("https://10.9.0.2:8000", "localhost")
    assert (route.source, route.owner, route.origin) == ("docker", "my_shop/web_app", "container box, label dev.route")


def test_names_put_by_hand_that_compose_would_not_give_are_none():
    found = planned("box", {**SERVICE, "com.docker.compose.service": "\x1b[31mweb"}, published={"80/tcp": HERE})
    assert [each.reason for each in found.refusals] == [
        "container box has no label dev.route and is no compose service"
    ]


@pytest.mark.parametrize("published", [{}, {"5432/tcp": HERE}])
def test_a_service_with_dev_tcp_has_its_default_name_for_raw_tcp(published):
    found = planned("box", {**SERVICE, "dev.tcp": "5432"}, exposed=("5432/tcp",), published=published)
    assert ports(found) == {"web-app.my-shop.dev.test:5432": 5432}


def test_a_raw_route_leads_to_the_port_of_the_container():
    box = parse(inspection("box", {"dev.route": "db", "dev.tcp": "5432"}, exposed=("5432/tcp",)))
    (route,) = routes(box, plan(box, RULES), {5432: Reach(box.address, 5432, open=True)}, RULES)
    assert (route.name, route.port, route.state) == ("db.dev.test:5432", 5432, State.LIVE)
    assert route.targets == (Target(box.address, 5432, "tcp"),)
