"""The other proxies: how each is told to do what ours does. Every one keeps its connections and adds the forwarding fields."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from devdns_bench.http_request import HOST

#: What nginx and the service need to write nothing anywhere else. Bodies are streamed, not spooled to files.
COMMON = """
worker_processes 1; pid {folder}/pid; error_log {folder}/log; daemon off;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
"""
SERVICE = (
    COMMON
    + """
  server {{ listen 127.0.0.1:{port}; default_type text/plain; root {folder}/root; location / {{ try_files /body =404; }} }} }}
"""
)
NGINX = (
    COMMON
    + """
  map $http_upgrade $hop {{ default upgrade; '' ''; }}
  upstream service {{ server 127.0.0.1:{service}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{secure} ssl; server_name {host}; client_max_body_size 0;
    ssl_certificate {folder}/../cert.pem; ssl_certificate_key {folder}/../key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1:secp384r1; location / {{
    proxy_request_buffering off; proxy_max_temp_file_size 0;
    proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection $hop; proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header Forwarded "for=$remote_addr;host=\\"$http_host\\";proto=$scheme";
    proxy_set_header X-Request-ID $request_id; }} }} }}
"""
)
ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          use_remote_address: true
          upgrade_configs: [{{upgrade_type: websocket}}]
          route_config:
            virtual_hosts:
            - name: service
              domains: ["{host}"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: service, timeout: 0s}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: service
    type: STATIC
    load_assignment:
      cluster_name: service
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {service}}}}}}}}}]}}]
"""
TRAEFIK = """
http:
  routers: {{bench: {{rule: "Host(`{host}`)", service: service}}}}
  services: {{service: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{service}"}}]}}}}}}
"""
CADDY = """
{{
  admin off
  auto_https off
  persist_config off
  storage file_system {folder}
  log {{
    output discard
  }}
}}
http://{host}:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{service}
}}
"""


class Peer(Struct, frozen=True):
    """A program, the arguments that make it say its version, and what writes its configuration and returns its command.

    `secure`: it takes part where clients speak TLS.
    """

    name: str
    program: str
    version: tuple[str, ...]
    write: Callable[[Path, int, int, int], tuple[str, ...]]
    secure: bool = False


def certify(folder: Path) -> None:
    """The certificate that all show to clients of TLS: `cert.pem` and `key.pem`, of the kind that control makes."""
    what = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={HOST}", "-days", "2")
    where = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run(("openssl", "req", "-x509", *what, *where), check=True, capture_output=True)  # noqa: S603, S607 # our own command line


def _written(template: str, file: Path, port: int, service: int, secure: int = 0) -> str:
    file.write_text(template.format(folder=file.parent, port=port, service=service, host=HOST, secure=secure))
    return str(file)


def _nginx(folder: Path, port: int, service: int, secure: int) -> tuple[str, ...]:
    return ("nginx", "-c", _written(NGINX, folder / "nginx.conf", port, service, secure))


def _envoy(folder: Path, port: int, service: int, _: int) -> tuple[str, ...]:
    config = _written(ENVOY, folder / "envoy.yaml", port, service)
    return ("envoy", "-c", config, "--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id")


def _traefik(folder: Path, port: int, service: int, _: int) -> tuple[str, ...]:
    routes = _written(TRAEFIK, folder / "routes.yaml", port, service)
    entry = f"--entrypoints.web.address=127.0.0.1:{port}"
    return (
        "traefik",
        entry,
        f"--providers.file.filename={routes}",
        "--log.level=ERROR",
        "--global.checknewversion=false",
    )


def _caddy(folder: Path, port: int, service: int, _: int) -> tuple[str, ...]:
    return ("caddy", "run", "--config", _written(CADDY, folder / "Caddyfile", port, service), "--adapter", "caddyfile")


PEERS = (
    Peer("nginx", "nginx", ("-v",), _nginx, secure=True),
    Peer("envoy", "envoy", ("--version",), _envoy),
    Peer("traefik", "traefik", ("version",), _traefik),
    Peer("caddy", "caddy", ("version",), _caddy),
)
