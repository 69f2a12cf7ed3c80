"""What `GET /containers/ID/json` says, as Docker 20.10 said it of a real container, with the parts that tests vary."""

import hashlib
from typing import Any


def inspection(
    name: str = "api",
    labels: dict[str, str] | None = None,
    *,
    exposed: tuple[str, ...] = ("8000/tcp",),
    published: dict[str, list[dict[str, str]] | None] | None = None,
    addresses: dict[str, str] | None = None,
    status: str = "running",
    health: str | None = None,
    mode: str = "default",
    identity: str = "",
    started: str = "2026-11-20T06:36:42.42689107Z",
) -> dict[str, Any]:
    up = status in ("running", "paused")
    state = {"Status": status, "Running": up, "ExitCode": 0 if up else 137, "StartedAt": started, "Pid": 14091}
    if health:
        state["Health"] = {"Status": health, "FailingStreak": 0, "Log": []}
    networks = addresses if addresses is not None else {"bridge": "10.9.0.2"}
    ports = published or {}
    return {
        "Id": identity or hashlib.sha256(name.encode()).hexdigest(),
        "Created": "2026-11-20T06:36:42.233202486Z",
        "Path": "sh",
        "State": state,
        "Name": f"/{name}",
        "HostConfig": {
            "NetworkMode": mode,
            "PortBindings": {port: [{"HostIp": "", "HostPort": ""}] for port, places in ports.items() if places},
            "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
        },
        "Mounts": [],
        "Config": {
            "Hostname": "95252ddcd01b",
            "ExposedPorts": {port: {} for port in (*exposed, *ports)},
            "Env": ["PASSWORD=hunter2"],
            "Image": "devdns-test:busybox",
            "Labels": labels or {},
        },
        "NetworkSettings": {
            "Ports": {**dict.fromkeys(exposed), **ports} if up else {},
            "Networks": {
                network: {"IPAddress": address if up else "", "GlobalIPv6Address": "", "NetworkID": "8879f5"}
                for network, address in networks.items()
            },
        },
    }


def summary(of: dict[str, Any]) -> dict[str, Any]:
    """The line of `GET /containers/json` for the same container."""
    health = of["State"].get("Health", {}).get("Status", "")
    shown = {"": "", "starting": " (health: starting)"}.get(health, f" ({health})")
    return {
        "Id": of["Id"],
        "Names": [of["Name"]],
        "Labels": of["Config"]["Labels"],
        "State": of["State"]["Status"],
        "Status": f"Up 2 minutes{shown}",
        "NetworkSettings": {"Networks": of["NetworkSettings"]["Networks"]},
    }
