"""STAND-IN for a container engine: images are programs, containers are processes of theirs.

A registry is a folder `registry/REPOSITORY/TAG` of programs. What a program does is up to the test: one that
cannot be executed cannot be started, one that ends has died.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(os.environ.get("STANDIN_ENGINE", "/var/lib/standin-engine"))
REGISTRY, IMAGES, CONTAINERS = (ROOT / name for name in ("registry", "images", "containers"))
RUN = '"$0"; echo $? >"$1"'
GRACE = 5.0


class EngineError(Exception):
    """What the engine answers when it cannot do what is asked."""


def enter(arguments: list[str], program: str) -> None:
    """Write down the call; like the real ones without their group, only root may use it."""
    if "STANDIN_ENGINE" not in os.environ and os.geteuid() != 0:
        sys.exit(f"{program} (stand-in): permission denied while trying to connect to the engine")
    CONTAINERS.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(exist_ok=True)
    with (ROOT / "calls").open("a") as calls:
        calls.write(f"{program} {' '.join(arguments)}\n")


def pull(image: str) -> None:
    """Fetch `REPOSITORY:TAG` from the registry."""
    repository, _, tag = image.rpartition(":")
    source = REGISTRY / repository / tag
    if not source.is_file():
        raise EngineError(f"manifest for {image} not found: manifest unknown: manifest unknown")
    shutil.copy2(source, IMAGES / image)


def prune() -> int:
    """Remove images that no container was made of; bytes that were freed."""
    used, freed = {one.image for one in containers()}, 0
    for file in IMAGES.iterdir():
        if file.name not in used:
            freed += file.stat().st_size
            file.unlink()
    return freed


@dataclass(frozen=True)
class Container:
    """A container: `key` is its id."""

    key: str
    name: str
    image: str
    service: str
    project: str
    pid: int
    started: float

    @property
    def log(self) -> Path:
        return CONTAINERS / f"{self.key}.log"

    @property
    def _exit(self) -> Path:
        return CONTAINERS / f"{self.key}.exit"

    @property
    def running(self) -> bool:
        """Whether its process is alive; a zombie is not."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
            words = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z" and self.key.encode() in words

    @property
    def status(self) -> int:
        """Its exit status; 137 for one that was killed."""
        try:
            return int(self._exit.read_text())
        except (OSError, ValueError):
            return 0 if self.running else 137

    def inspected(self) -> dict[str, object]:
        """What `docker inspect` knows of it."""
        state = {
            "Status": "running" if self.running else "exited",
            "Running": self.running,
            "Restarting": False,
            "ExitCode": self.status,
            "Pid": self.pid if self.running else 0,
            "StartedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
        }
        labels = {"com.docker.compose.service": self.service, "com.docker.compose.project": self.project}
        config = {"Image": self.image, "Labels": labels}
        return {
            "Id": self.key, "Name": f"/{self.name}", "State": state, "Config": config, "RestartCount": 0,
        }  # fmt: skip

    def remove(self) -> None:
        """Stop and forget it."""
        for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            with contextlib.suppress(OSError):
                if self.running:
                    os.killpg(self.pid, number)
            end = time.monotonic() + wait
            while self.running and time.monotonic() < end:
                time.sleep(0.02)
        for file in CONTAINERS.glob(f"{self.key}.*"):
            file.unlink()


def containers() -> list[Container]:
    """All that there are, the oldest first."""
    files = CONTAINERS.glob("*.json")
    return sorted((Container(**json.loads(file.read_text())) for file in files), key=lambda one: one.started)


def start(name: str, image: str, service: str, project: str) -> Container:
    """Run an image in a session and with an environment of its own, as a daemon would."""
    program, key = IMAGES / image, secrets.token_hex(32)
    if not os.access(program, os.X_OK):
        reason = f'exec: "/entrypoint": permission denied: {image}'
        raise EngineError(f"OCI runtime create failed: container_linux.go: {reason}: unknown")
    with (CONTAINERS / f"{key}.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", RUN, str(program), str(CONTAINERS / f"{key}.exit")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SERVICE": service, "IMAGE": image},
        )  # fmt: skip
    made = Container(key, name, image, service, project, process.pid, time.time())
    (CONTAINERS / f"{key}.json").write_text(json.dumps(asdict(made)))
    return made
