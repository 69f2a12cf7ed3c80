"""Reverse proxies with a configuration written by hand, names from the hosts file: nginx and Caddy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from devdns_bench.approaches.base import Approach, Mend
from devdns_bench.stack import Service

NGINX_FRAME = """worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; user root;
events {{ worker_connections 4096; }}
http {{
  access_log off; server_names_hash_max_size 262144; server_names_hash_bucket_size 128; variables_hash_max_size 2048;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; keepalive_requests 1000000;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
{blocks}
}}
"""
NGINX_UPSTREAM = "  upstream {name} {{ {servers} keepalive 32; }}"
NGINX_BLOCK = """  server {{ listen 127.0.0.1:80; server_name {host}; location / {{ proxy_pass http://{name}; proxy_http_version 1.1;
    proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }} }}"""


class Written(Approach):
    """One file that names every service and its port; an edit and a reload for each change."""

    proxies: ClassVar[bool] = True

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        self.targets = {service.name: [service.target] for service in services}
        self.hosts_lines()
        self.site.user.edits(self.config, self.text(), root=True)
        self.serve()

    @property
    @abstractmethod
    def config(self) -> Path:
        """The file."""

    @abstractmethod
    def text(self) -> str:
        """What stands in it, for the present targets."""

    @abstractmethod
    def serve(self) -> None:
        """Starts the proxy."""

    @abstractmethod
    def reload(self) -> None:
        """The command that makes it read the file again."""

    def moved(self, service: Service) -> Mend | None:
        return self._rewritten(service, [service.target], "the port")

    def scaled(self, service: Service, second: Service) -> Mend | None:
        return self._rewritten(service, [service.target, second.target], "the second server")

    def added(self, service: Service) -> Mend:
        def act() -> None:
            self.services.append(service)
            self.hosts_line(service)
            self._rewritten(service, [service.target], "").act()

        return Mend(f"a line in the hosts file, one more site in {self.config.name}, and a reload", act)

    def _rewritten(self, service: Service, targets: list[str], what: str) -> Mend:
        def act() -> None:
            self.targets[service.name] = targets
            self.site.user.edits(self.config, self.text(), root=True)
            self.reload()

        return Mend(f"{what} in {self.config.name}, and a reload", act)


class Nginx(Written):
    """An upstream and a server block for each service."""

    name: ClassVar[str] = "nginx"
    title: ClassVar[str] = "nginx, written by hand"
    programs: ClassVar[tuple[str, ...]] = ("nginx",)

    @property
    def config(self) -> Path:
        return self.site.user.home / "nginx" / "nginx.conf"

    def text(self) -> str:
        pools = {tuple(targets): f"pool{place}" for place, targets in enumerate(self.targets.values())}
        blocks = [
            NGINX_UPSTREAM.format(name=name, servers=" ".join(f"server {target};" for target in targets))
            for targets, name in pools.items()
        ]
        blocks += [
            NGINX_BLOCK.format(name=pools[tuple(self.targets[service.name])], host=self.address(service).host)
            for service in self.services
        ]
        return NGINX_FRAME.format(folder=self.config.parent, blocks="\n".join(blocks))

    def serve(self) -> None:
        self.site.start("nginx", self.site.tools["nginx"], "-c", str(self.config), root=True)

    def reload(self) -> None:
        self.site.user.types(self.site.tools["nginx"], "-c", str(self.config), "-s", "reload", root=True)


class Caddy(Written):
    """A site with `reverse_proxy` for each service, plain HTTP."""

    name: ClassVar[str] = "caddy"
    title: ClassVar[str] = "Caddy, written by hand"
    programs: ClassVar[tuple[str, ...]] = ("caddy",)

    @property
    def config(self) -> Path:
        return self.site.user.home / "Caddyfile"

    def text(self) -> str:
        sites = [
            f"http://{self.address(service).host} {{\n  reverse_proxy {' '.join(self.targets[service.name])}\n}}"
            for service in self.services
        ]
        return "\n".join(["{\n  auto_https off\n}", *sites, ""])

    def serve(self) -> None:
        command = ("run", "--config", str(self.config), "--adapter", "caddyfile")
        self.site.start("caddy", self.site.tools["caddy"], *command, root=True)

    def reload(self) -> None:
        self.site.user.types(self.site.tools["caddy"], "reload", "--config", str(self.config), "--adapter", "caddyfile")
