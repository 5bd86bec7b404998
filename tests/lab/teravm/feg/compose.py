#!/usr/bin/python3
"""STAND-IN for docker-compose: the command line of version 1 as far as it is used here."""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import engine
from engine import Container, EngineError


@dataclass(frozen=True)
class Service:
    """What a compose file says of a service."""

    name: str
    image: str
    container: str


def variables(folder: Path) -> dict[str, str]:
    """`.env`; the environment goes before it."""
    file = folder / ".env"
    lines = file.read_text().splitlines() if file.exists() else []
    return {**dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#"), **os.environ}


def filled(text: str, known: dict[str, str]) -> str:
    """The text with `${NAME}` put in; an unknown one is empty, as with the real one."""
    return re.sub(r"\$\{(\w+)\}", lambda found: known.get(found[1], ""), text)


def services(folder: Path) -> list[Service]:
    """The compose file, of which only services with `image` and `container_name` are understood."""
    file = folder / "docker-compose.yml"
    if not file.exists():
        raise EngineError("Can't find a suitable configuration file in this directory or any parent.")
    known, found, section = variables(folder), {}, ""
    for line in file.read_text().splitlines():
        form = re.fullmatch(r"( *)([\w.-]+):(?: +(.+))?", line)
        if not form and line.strip() and line.lstrip()[0] not in "#-":
            raise EngineError(f'yaml.scanner.ScannerError: in "./docker-compose.yml": {line!r}')
        if form and not form[1]:
            section = form[2]
        elif form and section == "services" and len(form[1]) == 2:
            found[form[2]] = {}
        elif form and section == "services" and len(form[1]) == 4:
            found[list(found)[-1]][form[2]] = filled((form[3] or "").strip("\"'"), known)
    if not found:
        raise EngineError("The Compose file './docker-compose.yml' is invalid: it has no services")
    return [Service(name, of["image"], of.get("container_name", name)) for name, of in found.items()]


class Project:
    """The project of the folder that it is run in."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.services = services(folder)

    def containers(self, chosen: list[str]) -> list[Container]:
        mine = [one for one in engine.containers() if one.project == self.name]
        return [one for one in mine if not chosen or one.service in chosen]

    def config(self, asked: argparse.Namespace) -> None:
        if asked.services:
            print("\n".join(one.name for one in self.services))
        elif not asked.quiet:
            of = (
                f"  {one.name}:\n    container_name: {one.container}\n    image: {one.image}"
                for one in self.services
            )
            print("services:", *of, "version: '3.7'", sep="\n")

    def pull(self, asked: argparse.Namespace) -> None:
        for one in self.services:
            if asked.service and one.name not in asked.service:
                continue
            print(f"Pulling {one.name} ... ", end="", flush=True)
            try:
                engine.pull(one.image)
            except EngineError as error:
                print("error")
                raise EngineError(f"for {one.name}  {error}") from None
            print("done")

    def up(self, asked: argparse.Namespace) -> None:
        if not asked.detach:
            raise EngineError("stand-in: only up -d can be had")
        for one in self.services:
            if not asked.service or one.name in asked.service:
                self._up(one)

    def _up(self, service: Service) -> None:
        old = self.containers([service.name])
        if old and old[0].running and old[0].image == service.image:
            print(f"{service.container} is up-to-date")
            return
        for one in old:
            one.remove()
        print(f"{'Recreating' if old else 'Creating'} {service.container} ... ", end="", flush=True)
        try:
            if not (engine.IMAGES / service.image).exists():
                engine.pull(service.image)
            engine.start(service.container, service.image, service.name, self.name)
        except EngineError as error:
            print("error")
            raise EngineError(f"for {service.name}  Cannot start service {service.name}: {error}") from None
        print("done")

    def down(self, _asked: argparse.Namespace) -> None:
        for one in self.containers([]):
            print(f"Stopping {one.name} ... ", end="", flush=True)
            one.remove()
            print(f"done\nRemoving {one.name} ... done")

    def ps(self, asked: argparse.Namespace) -> None:
        wanted = asked.filter.removeprefix("status=") if asked.filter else None
        found = self.containers(asked.service)
        if wanted:
            found = [one for one in found if one.running == (wanted == "running")]
        if asked.quiet:
            print("".join(f"{one.key}\n" for one in found), end="")
        elif asked.services:
            print("".join(f"{one.service}\n" for one in found), end="")
        else:
            print(f"{'Name':<22}{'Command':<20}{'State':<10}Ports\n{'-' * 60}")
            for one in found:
                state = "Up" if one.running else f"Exit {one.status}"
                print(f"{one.name:<22}{'/entrypoint':<20}{state:<10}")

    def logs(self, asked: argparse.Namespace) -> None:
        print(f"Attaching to {', '.join(one.name for one in self.containers(asked.service))}")
        for one in self.containers(asked.service):
            lines = one.log.read_text("utf-8", "replace").splitlines()
            shown = lines if asked.tail in {None, "all"} else lines[-int(asked.tail) :]
            print("".join(f"{one.name}  | {line}\n" for line in shown), end="")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("docker-compose", description=__doc__)
    made.add_argument("--version", "-v", action="version", version="docker-compose version 1.29.2 (stand-in)")
    commands = made.add_subparsers(dest="command", required=True)
    options = {
        "config": ("--services", "-q/--quiet"),
        "pull": ("-q/--quiet",),
        "up": ("-d/--detach", "--remove-orphans", "--no-color"),
        "down": ("--remove-orphans",),
        "ps": ("-q/--quiet", "--services", "-a/--all"),
        "logs": ("--no-color", "-t/--timestamps"),
    }
    for name, flags in options.items():
        command = commands.add_parser(name)
        for flag in flags:
            command.add_argument(*flag.split("/"), action="store_true")
        if name == "ps":
            command.add_argument("--filter")
        if name == "logs":
            command.add_argument("--tail")
        command.add_argument("service", nargs="*")
    return made


def main() -> None:
    asked = parser().parse_args([word for word in sys.argv[1:] if word != "--"])
    engine.enter(sys.argv[1:], "docker-compose")
    try:
        getattr(Project(Path.cwd()), asked.command)(asked)
    except EngineError as error:
        sys.exit(f"\nERROR: {error}")


if __name__ == "__main__":
    main()
