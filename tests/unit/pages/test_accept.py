"""The form of an answer, by the Accept field and what the client calls itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_proxy.pages_accept import choose

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "agent", "form"),
    [
        (BROWSER, CHROME, "html"),
        (BROWSER, "", "html"),
        ("*/*", CHROME, "html"),
        ("", CHROME, "html"),
        ("*/*", "curl/8.5.0", "plain"),
        ("", "curl/8.5.0", "plain"),
        ("*/*", "Wget/1.21", "plain"),
        ("application/json, */*;q=0.5", "HTTPie/3.2", "json"),
        ("*/*", "HTTPie/3.2", "plain"),
        ("", "", "plain"),
        ("application/json", "", "json"),
        ("application/json", CHROME, "json"),
        ("application/json", "curl/8.5.0", "json"),
        ("application/problem+json", "", "json"),
        ("application/json, text/plain, */*", CHROME, "json"),
        ("text/plain, application/json", "", "plain"),
        ("text/html;q=0.2, application/json;q=0.9", CHROME, "json"),
        ("text/html;q=0.9, application/json;q=0.2", "", "html"),
        ("application/json;q=0, */*", "", "plain"),
        ("text/html;q=0, */*", CHROME, "plain"),
        ("text/plain;q=0,text/*,application/json;q=0.1", "", "html"),
        ("TEXT/HTML", "", "html"),
        ("image/png", CHROME, "html"),
        ("image/png", "", "plain"),
        ("application/*", "", "json"),
        ("text/html ; level=1 ; q=0.1 , application/json ; q=0.2", "", "json"),
        ("text/html;q=nonsense", "", "html"),
    ],
)
def test_a_client_gets_the_form_it_prefers(accept, agent, form):
    assert choose(accept, agent) == form


@given(st.text(), st.text())
def test_any_field_leads_to_one_of_the_three(accept, agent):
    assert choose(accept, agent) in ("html", "json", "plain")
