"""openapi.json describes exactly what is served."""

import json
import re

from support.control import registry_of

from devdns.control.api import OPENAPI, Api
from devdns.core.routes import Options

METHODS = {"get", "put", "post", "delete"}


async def test_every_path_and_method_is_described_and_every_description_is_served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with registry_of() as registry:
        served = {
            (re.sub(r"\{(\w+):[^}]*\}", r"{\1}", each.path), each.method.lower())
            for each in Api(registry, "i", {}).routes()
        }
    paths = json.loads(OPENAPI)["paths"]
    described = {(path, method) for path, methods in paths.items() for method in methods if method in METHODS}
    assert described == served


def test_every_option_of_a_route_is_described():
    schemas = json.loads(OPENAPI)["components"]["schemas"]
    assert set(schemas["Options"]["properties"]) == set(Options.__struct_fields__)
    assert set(schemas["NewRoute"]["properties"]) == {"target", *Options.__struct_fields__}
