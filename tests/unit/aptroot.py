"""A host whose apt, dpkg and services are in a folder: real apt and dpkg, a repository of real packages."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

DAEMON = "#!/bin/sh\nexec sleep 600\n"
INIT = """#!/bin/bash
# A plain init script: the daemon is started anew, or its state is told. A zombie has no program any more.
pid=$(cat {root}/run/$NAME.pid 2>/dev/null)
case $1 in
    restart)
        [[ ! $pid ]] || kill $pid 2>/dev/null
        [[ -x {root}/fs/usr/sbin/$NAME ]] || {{ echo "no $NAME to start" >&2; exit 1; }}
        setsid {root}/fs/usr/sbin/$NAME >/dev/null 2>&1 </dev/null &
        echo $! >{root}/run/$NAME.pid
        ;;
    status)
        [[ $pid && -e /proc/$pid/exe ]] && {{ echo "$NAME is running with pid $pid"; exit 0; }}
        echo "$NAME is dead"
        exit 3
        ;;
esac
"""
SERVICE = """#!/bin/bash
[[ -x {root}/init.d/$1 ]] || {{ echo "$1: unrecognized service" >&2; exit 1; }}
exec env -i NAME="$1" PATH="$PATH" {root}/init.d/"$1" "$2"
"""
CONFIG = """
Dir "{root}";
Dir::State "var/lib/apt"; Dir::State::status "{root}/var/lib/dpkg/status"; Dir::Cache "var/cache/apt";
Dir::Etc "etc/apt"; Dir::Bin::dpkg "/usr/bin/dpkg"; Dir::Bin::methods "/usr/lib/apt/methods";
APT::Sandbox::User "root"; APT::Get::List-Cleanup "true"; Acquire::Languages "none"; Acquire::Retries "0";
DPkg::Options {{ {options} }};
"""


FOLDERS = (
    *("bin", "fs", "run", "init.d", "repository", "var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log/apt"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"),
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d"),
)


class AptHost:
    """The folder; `access` is the way to the host that it makes of this machine."""

    def __init__(self, root: Path, access):
        self.root, self.repository = root, root / "repository"
        for name in FOLDERS:
            (root / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        self._programs()
        self.sources(f"deb [trusted=yes] file:{self.repository} ./")
        self.packages: list[str] = []
        environment = {"PATH": f"{root}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APT_CONFIG": f"{root}/apt.conf"}
        self.access = replace(access, name="agw", environment=environment)

    def _programs(self):
        folders = [f"--admindir={self.root}/var/lib/dpkg", f"--instdir={self.root}/fs"]
        options = [*folders, "--force-script-chrootless", f"--log={self.root}/dpkg.log"]
        quoted = " ".join(f'"{option}";' for option in options)
        (self.root / "apt.conf").write_text(CONFIG.format(root=self.root, options=quoted))
        self._program("dpkg-query", f'#!/bin/sh\nexec /usr/bin/dpkg-query {folders[0]} "$@"\n')
        self._program("dpkg", f'#!/bin/sh\nexec /usr/bin/dpkg {" ".join(options)} "$@"\n')
        self._program("service", SERVICE.format(root=self.root))
        self.service("sctpd")

    def _program(self, name: str, text: str):
        (self.root / "bin" / name).write_text(text)
        (self.root / "bin" / name).chmod(0o755)

    def service(self, name: str, text: str = INIT):
        (self.root / "init.d" / name).write_text(text.format(root=self.root))
        (self.root / "init.d" / name).chmod(0o755)

    def sources(self, *lines: str):
        (self.root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")

    def publish(self, version: str, *, name="magma", depends="", daemon=DAEMON, **scripts: str):
        """Put a package into the repository, above those that are there."""
        tree = self.root / "trees" / f"{name}_{version}"
        (tree / "usr/sbin").mkdir(parents=True)
        (tree / "DEBIAN").mkdir()
        program = tree / "usr/sbin" / ("sctpd" if name == "magma" else name)
        program.write_text(daemon)
        program.chmod(0o755)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <n@invalid>\n"
        control += f"Depends: {depends}\n" * bool(depends)
        (tree / "DEBIAN/control").write_text(control + "Description: of a test\n")
        for script, text in scripts.items():
            (tree / "DEBIAN" / script).write_text(text)
            (tree / "DEBIAN" / script).chmod(0o755)
        file = self.repository / f"{name}_{version}_all.deb"
        command = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, file]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        place = f"Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {digest}\n"
        self.packages.append(f"{control}{place}Description: of a test\n")
        index = self.repository / "Packages"
        index.write_text("\n".join(self.packages))
        os.utime(index, (0, 10**9 + len(self.packages)))  # apt fetches it again when it is newer by a second
        return file

    def update(self):
        command = ["apt-get", "update", "-qq"]
        subprocess.run(command, check=True, env={**os.environ, "APT_CONFIG": f"{self.root}/apt.conf"})

    def installed(self) -> str:
        command = [self.root / "bin/dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "magma"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def pid(self, name="sctpd"):
        file = self.root / "run" / f"{name}.pid"
        return int(file.read_text()) if file.exists() else None

    def stop(self):
        for file in (self.root / "run").glob("*.pid"):
            subprocess.run(["kill", file.read_text().strip()], stderr=subprocess.DEVNULL, check=False)
