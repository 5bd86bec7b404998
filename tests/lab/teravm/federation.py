"""A FEG: a compose project, and a stand-in for docker-compose and docker that runs it."""

from __future__ import annotations

from pathlib import Path

from pytest_ixy.remote import Host
from teravm.packages import BUILDS, OLD
from teravm.putting import put, root

HERE = Path(__file__).parent / "feg"
FOLDER, ENGINE = "/var/opt/magma/docker", "/var/lib/standin-engine"
IMAGES = {"session_proxy": "feg_session_proxy", "magmad": "feg_magmad"}
"""Repository by service."""
COMPOSE = """version: "3.7"

services:
""" + "".join(
    f"  {service}:\n    container_name: {service}\n    restart: always\n"
    f"    image: ${{DOCKER_REGISTRY}}{image}:${{IMAGE_VERSION}}\n"
    for service, image in IMAGES.items()
)
ENVIRONMENT = f"# of this FEG\nDOCKER_REGISTRY=\nIMAGE_VERSION={OLD.hash}\nCONTROLLER=nowhere\n"
PROGRAM = '#!/bin/sh\necho "$SERVICE of $IMAGE begins"\nBEGIN\nwhile :; do sleep 1; done\n'
INSTALL = """set -e
cd /opt/standin-feg
chmod 755 compose.py docker.py
ln -sf /opt/standin-feg/compose.py /usr/local/bin/docker-compose
ln -sf /opt/standin-feg/docker.py /usr/local/bin/docker
"""
RESET = """set -e
[ -e "$ENGINE/untouched" ] && [ ! -e "$ENGINE/calls" ] && exit
mkdir -p "$FOLDER" && cd "$FOLDER"
[ ! -e docker-compose.yml ] || docker-compose down
rm -rf -- "$FOLDER" "$ENGINE/images" "$ENGINE/registry" "$ENGINE/calls"
mkdir -p "$FOLDER" && cd "$FOLDER"
printf %s "$COMPOSE" >docker-compose.yml
printf %s "$ENVIRONMENT" >.env
for image in $IMAGES; do
    mkdir -p "$ENGINE/registry/$image"
    for hash in $HASHES; do
        printf %s "$PROGRAM" | sed s/BEGIN/:/ >"$ENGINE/registry/$image/$hash"
        chmod 755 "$ENGINE/registry/$image/$hash"
    done
done
docker-compose up -d
rm "$ENGINE/calls"
touch "$ENGINE/untouched"
"""
STATE = """cd "$FOLDER"
grep IMAGE_VERSION= .env
ids=$(docker-compose ps -q)
docker inspect --format '{{.Config.Image}} {{.State.Status}}' $ids
"""


class Federation:
    """One FEG, as a test looks at it and breaks it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def install(self) -> None:
        """Set the machine up with the engine; `reset` makes the project."""
        put(self.host, HERE, "/opt/standin-feg")
        root(self.host, INSTALL)

    def reset(self) -> None:
        """As it was: all hashes in its registry, and the old one up."""
        given = {"COMPOSE": COMPOSE, "ENVIRONMENT": ENVIRONMENT, "PROGRAM": PROGRAM}
        given |= {"IMAGES": " ".join(IMAGES.values()), "HASHES": " ".join(one.hash for one in BUILDS)}
        root(self.host, RESET, FOLDER=FOLDER, ENGINE=ENGINE, **given)

    def lose_image(self, tag: str, service: str = "session_proxy") -> None:
        """Its registry has no such image any more, so that pulling fails."""
        root(self.host, f"rm -f {ENGINE}/untouched {self._image(tag, service)}")

    def break_image(self, tag: str, service: str = "session_proxy") -> None:
        """The image cannot be started, so that bringing the project up fails."""
        root(self.host, f"rm -f {ENGINE}/untouched; chmod -x {self._image(tag, service)}")

    def poison_image(self, tag: str, after: float, service: str = "session_proxy") -> None:
        """The service ends, with status 3, some seconds after it was started."""
        script = PROGRAM.replace("BEGIN", f"sleep {after}; echo 'no licence'; exit 3")
        root(self.host, f"rm -f {ENGINE}/untouched")
        self.host.upload(script.encode(), self._image(tag, service), mode=0o755, root=True)

    @staticmethod
    def _image(tag: str, service: str) -> str:
        return f"{ENGINE}/registry/{IMAGES[service]}/{tag}"

    @property
    def state(self) -> list[str]:
        """`IMAGE_VERSION=…` of `.env`, then each container's image and status."""
        return root(self.host, STATE, FOLDER=FOLDER).splitlines()

    @property
    def calls(self) -> list[str]:
        """How `docker-compose` and `docker` were called."""
        return root(self.host, f"cat {ENGINE}/calls").splitlines()


def up(tag: str) -> list[str]:
    """A FEG's `state` when all is well."""
    return [f"IMAGE_VERSION={tag}", *(f"{image}:{tag} running" for image in IMAGES.values())]
