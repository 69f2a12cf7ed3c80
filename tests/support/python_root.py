"""A root file system with this machine's Python in it, to import as a Docker image where no registry can be asked."""

import os
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT = {"site-packages", "dist-packages", "__pycache__", "test", "idlelib", "tkinter", "lib2to3", "turtledemo"}
UNUSED = "_tkinter"  # would bring X11
APPLETS = ("sh", "chmod", "chown", "mkdir", "ls", "cat", "id")
PASSWD = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n"


def pack(path: Path) -> None:
    """Writes the root as a tar: Python at its own place and as /usr/local/bin/python3, busybox as the shell."""
    python = Path(sys.base_prefix, "bin", f"python{sysconfig.get_python_version()}").resolve()
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    bundled = [Path("/usr/share/python-wheels")]  # where Debian keeps what ensurepip installs
    with tarfile.open(path, "w") as tar:
        seen = set[Path]()
        files = [python, *_below(stdlib), *(file for place in bundled for file in _below(place))]
        for file in [*files, *_libraries(files)]:
            _add(tar, file, file, seen)
        _add(tar, Path("/bin/busybox"), Path("/bin/busybox"), seen)
        for applet in APPLETS:
            _link(tar, f"bin/{applet}", "/bin/busybox")
        _link(tar, "usr/local/bin/python3", str(python))
        _folder(tar, Path("tmp"), 0o1777)
        (path.parent / "passwd").write_text(PASSWD)
        tar.add(path.parent / "passwd", "etc/passwd")


def _below(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder)
        if (
            file.is_file()
            and UNUSED not in file.name
            and not LEFT_OUT & set(inner.parts)
            and not inner.parts[0].startswith("config-")
        ):
            yield file


def _libraries(files: Iterable[Path]) -> list[Path]:
    """The shared libraries of the system that Python, its extensions and the wheels of our dependencies load.

    Those that a wheel brings along come with it.
    """
    installed = Path(sysconfig.get_path("platlib"))
    linked = [
        str(file) for file in (*files, *installed.rglob("*.so")) if file.suffix == ".so" or file.stat().st_mode & 0o111
    ]
    shown = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False).stdout
    words = {word for line in shown.splitlines() if not line.endswith(":") for word in line.split()}
    named = {Path(os.path.normpath(word)) for word in words if word.startswith("/")}
    return sorted(file for file in named if file.is_file() and not file.is_relative_to(installed))


def _add(tar: tarfile.TarFile, file: Path, place: Path, seen: set[Path]) -> None:
    for parent in [*reversed(place.parents)][1:]:
        if parent not in seen:
            _folder(tar, parent.relative_to("/"), 0o755)
            seen.add(parent)
    if place not in seen:
        tar.add(file.resolve(), str(place.relative_to("/")), filter=_by_root)
        seen.add(place)


def _by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


def _folder(tar: tarfile.TarFile, place: Path, mode: int) -> None:
    entry = tarfile.TarInfo(str(place))
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
