#!/usr/bin/python3
"""STAND-IN for docker: its command line as far as it is used here."""

from __future__ import annotations

import argparse
import json
import re
import sys

import engine
from engine import Container


def looked_up(data: object, path: str) -> object:
    for name in filter(None, path.split(".")):
        if not isinstance(data, dict) or name not in data:
            sys.exit(f'template parsing error: template: :1: map has no entry for key "{name}" (stand-in)')
        data = data[name]
    return data


def written(data: object, form: str) -> str:
    """Fill a template that names fields, `{{.State.Status}}`, `{{json .Config}}` or `{{index .M "key"}}`.

    No container here has a health check, so what stands behind `{{if .State.Health}}` is left out.
    """
    form = re.sub(r"\{\{if \.State\.Health\}\}.*?(?:\{\{else\}\}(.*?))?\{\{end\}\}", r"\1", form)

    def one(found: re.Match[str]) -> str:
        function, path, key = found.groups()
        value = looked_up(data, path)
        value = value.get(key, "") if function == "index" and isinstance(value, dict) else value
        return json.dumps(value) if function == "json" else str(value).replace("True", "true")

    made = re.sub(r'\{\{ *(?:(json|index) +)?(\.[\w.]*)(?: +"([^"]*)")? *\}\}', one, form)
    if "{{" in made:
        sys.exit(f"template parsing error: the stand-in knows no {made[made.index('{{') :]!r}")
    return made.replace("\\t", "\t").replace("\\n", "\n")


def chosen(names: list[str]) -> list[Container]:
    every = engine.containers()
    found = []
    for name in names:
        fits = [one for one in every if one.name == name or one.key.startswith(name)]
        if not fits:
            sys.exit(f"Error: No such object: {name}")
        found.append(fits[0])
    return found


def inspect(asked: argparse.Namespace) -> None:
    data = [one.inspected() for one in chosen(asked.names)]
    if asked.format is None:
        print(json.dumps(data, indent=4))
    else:
        print("\n".join(written(one, asked.format) for one in data))


def logs(asked: argparse.Namespace) -> None:
    for one in chosen(asked.names):
        lines = one.log.read_text("utf-8", "replace").splitlines()
        print("\n".join(lines if asked.tail in {None, "all"} else lines[-int(asked.tail) :]))


def ps(asked: argparse.Namespace) -> None:
    for one in engine.containers():
        if asked.all or one.running:
            row = {"ID": one.key[:12], "Names": one.name, "Image": one.image}
            row["Status"] = "Up" if one.running else f"Exited ({one.status})"
            print(
                row["ID"] if asked.quiet else written(row, asked.format or "{{.ID}}  {{.Image}}  {{.Names}}")
            )


def image(asked: argparse.Namespace) -> None:
    if asked.names != ["prune"] or not asked.force:
        sys.exit("docker (stand-in): only image prune --force can be had")
    print(f"Total reclaimed space: {engine.prune()}B")


def images(asked: argparse.Namespace) -> None:
    for file in sorted(engine.IMAGES.iterdir()):
        repository, _, tag = file.name.rpartition(":")
        print(written({"Repository": repository, "Tag": tag}, asked.format or "{{.Repository}} {{.Tag}}"))


def info(asked: argparse.Namespace) -> None:
    print(
        written(
            {"DockerRootDir": str(engine.ROOT), "ServerVersion": "stand-in"}, asked.format or "{{json .}}"
        )
    )


def system(asked: argparse.Namespace) -> None:
    if asked.names != ["df"]:
        sys.exit("docker (stand-in): only system df can be had")
    size = sum(file.stat().st_size for file in engine.IMAGES.iterdir())
    print("TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE")
    print(f"Images          {len(list(engine.IMAGES.iterdir())):<10}{len(engine.containers()):<10}{size}B")


COMMANDS = {one.__name__: one for one in (inspect, info, logs, ps, image, images, system)}


def main() -> None:
    parser = argparse.ArgumentParser("docker", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    for flag in ("-a/--all", "-q/--quiet", "-f/--force"):
        parser.add_argument(*flag.split("/"), action="store_true")
    parser.add_argument("--format")
    parser.add_argument("--tail")
    parser.add_argument("names", nargs="*")
    words = [
        "--format" if word == "-f" and {"inspect", "info"} & {*sys.argv} else word for word in sys.argv[1:]
    ]
    asked = parser.parse_intermixed_args(words)
    engine.enter(sys.argv[1:], "docker")
    COMMANDS[asked.command](asked)


if __name__ == "__main__":
    main()
