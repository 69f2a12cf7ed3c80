"""Machines as a newcomer has them, for `make`: a fresh Debian, and this one seen by a stranger with an empty home.

Only what reaches the package registries comes along: name resolution, apt's sources, pip's and npm's settings and the certificates.
"""

import os
import shutil
import subprocess
from pathlib import Path

CARRIED = (
    "PIP_",
    "NPM_CONFIG_",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
)
FIXED = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
NOBODY = 65534


def registry_environ() -> dict[str, str]:
    """What of this process's environment tells pip and npm where and how to ask; local folders of wheels stay behind."""
    left = ("PIP_FIND_LINKS", "PIP_CACHE_DIR", "SSL_CERT_DIR")
    return {name: value for name, value in os.environ.items() if name.startswith(CARRIED) and name not in left}


def debian(root: Path) -> None:
    """A minimal Debian with `make` in it and nothing else, by debootstrap."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release["VERSION_CODENAME"].strip('"')
    made = ["debootstrap", "--variant=minbase", "--include=make", codename, str(root), *_mirror()]
    done = subprocess.run(made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    shutil.copytree("/etc/apt", root / "etc" / "apt", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*docker*"))
    for file in (Path("/etc/resolv.conf"), Path("/etc/hosts"), *Path("/usr/share/keyrings").glob("debian-*")):
        (root / file.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, root / file.relative_to("/"))
    for file, place in _certificates().items():
        (root / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, root / place)


def _mirror() -> list[str]:
    """Where this machine gets its own packages."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    lines = sources.read_text().splitlines() if sources.exists() else []
    return [line.split()[1] for line in lines if line.startswith("URIs:")][:1]


def _certificates() -> dict[str, str]:
    """Files that the settings name -> where they stand inside; not their own place, which the root's packages may fill."""
    named = {value for value in registry_environ().values() if value.startswith("/") and Path(value).is_file()}
    return {file: f"carried/{number}.pem" for number, file in enumerate(sorted(named))}


ENTER = """set -e
mount --bind "$0" "$0"
cd "$0"
mkdir -p left
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
pivot_root . left
umount --lazy left
cd /src
eval "$1"
"""


def in_debian(root: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command as root inside, in `/src`, with processes and mounts of its own.

    The root is a mount, not a chroot: programs inside make mount namespaces too.
    """
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, str(root), command]
    inside = {file: f"/{place}" for file, place in _certificates().items()}
    carried = {name: inside.get(value, value) for name, value in registry_environ().items()}
    known = {**FIXED, "HOME": "/root", **carried, **environ}
    return subprocess.run(apart, env=known, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def as_stranger(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command in `folder` as a user without rights and with an empty home; no other home is to be seen."""
    home = folder.parent / "home"
    home.mkdir()
    for place in (home, folder, *folder.rglob("*")):
        os.chown(place, NOBODY, NOBODY)
    drop = f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"
    script = f'mount -t tmpfs tmpfs /root && mount -t tmpfs tmpfs /home && cd "$0" && {drop} sh -c "$1"'
    known = {**FIXED, "HOME": str(home), **registry_environ()}
    apart = ["unshare", "--mount", "sh", "-c", script, str(folder), command]
    return subprocess.run(apart, env=known, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
