"""A stand-in for docker-compose and docker, as far as a FEG's upgrade uses them: no container is ever made.

It keeps to a folder: `registry` has a line for each image that can be pulled, and how it behaves;
`engine.json` has the images and containers of this machine; `calls` has what was run.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

HOME = Path(os.environ["STANDIN"])


def load():
    file = HOME / "engine.json"
    return json.loads(file.read_text()) if file.exists() else {"images": [], "containers": {}}


def save(state):
    (HOME / "engine.json").write_text(json.dumps(state))


def die(words, code=1):
    print(words, file=sys.stderr)
    sys.exit(code)


def registry():
    lines = (line.split() for line in (HOME / "registry").read_text().splitlines())
    return {words[0]: words[1] if len(words) > 1 else "good" for words in lines}


def variables():
    found = {}
    for line in Path(".env").read_text().splitlines() if Path(".env").exists() else ():
        match = re.match(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*)$", line)
        if match:
            value = re.match(r"'([^']*)'|\"([^\"]*)\"|(.*?)(?:\s+#.*)?$", match[2])
            found[match[1]] = next(text for text in value.groups() if text is not None)
    return {**found, **os.environ}


def services():
    try:
        text = Path("docker-compose.yml").read_text()
    except OSError:
        die("Can't find a suitable configuration file", 14)
    if not text.startswith("version:"):
        die("The Compose file './docker-compose.yml' is invalid")
    values = variables()
    text = re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], ""), text)
    return dict(re.findall(r"^  (\w+):\n    image: (\S+)$", text, re.MULTILINE))


def pull(state):
    for image in services().values():
        print(f"Pulling {image} ...", flush=True)
        how = registry().get(image)
        if how is None:
            die(f"ERROR: manifest for {image} not found: manifest unknown")
        if how == "offline":
            die("ERROR: Get https://registry/v2/: dial tcp 10.0.0.1:443: connect: connection refused")
        if how == "slow":
            time.sleep(600)
        state["images"] = sorted({*state["images"], image})
    save(state)


def up(state):
    missing = {image for image in services().values() if image not in state["images"]}
    if missing:
        pull(state)
    for name, image in services().items():
        if registry().get(image) == "broken":
            die(f"ERROR: for {name}  Cannot start service {name}: OCI runtime create failed")
        if registry().get(image) == "hangs":
            (HOME / "hangs").touch()
            time.sleep(600)
        running = {"image": image, "status": "running", "started": f"2026-01-01T00:00:00.{time.time_ns()}Z"}
        state["containers"][name] = {**running, "again": 0}
        save(state)


def inspect(state, identifiers):
    for name in identifiers:
        one, how = state["containers"][name], registry().get(state["containers"][name]["image"])
        if how == "crashes":
            one["again"] += 1
            one["status"] = ("running", "restarting")[one["again"] % 2]
        fields = [name, one["image"], one["status"], "unhealthy" if how == "ill" else "", "137"]
        print("ixy: container " + "|".join([*fields, f"{one['started']} {one['again']}"]))
    save(state)


def compose(arguments, state):
    match arguments:
        case ["down"]:
            save({**state, "containers": {}})
        case ["pull"]:
            pull(state)
        case ["up", "-d"]:
            up(state)
        case ["config", "--services"]:
            print("\n".join(services()))
        case ["config"]:
            print("services:")
            print("".join(f"  {name}:\n    image: {image}\n" for name, image in services().items()))
        case ["ps", "-a", "-q"]:
            print("\n".join(state["containers"]))
        case ["logs", *_, name]:
            print(f"{name}_1  | Traceback: no mconfig")
        case _:
            die(f"No such command: {arguments}", 2)


def docker(arguments, state):
    match arguments:
        case ["info", "-f", "{{.DockerRootDir}}"]:
            print(HOME)
        case ["image", "prune", "-a", "-f"]:
            used = [one["image"] for one in state["containers"].values()]
            save({**state, "images": used})
        case ["inspect", "--format", _, *identifiers]:
            inspect(state, identifiers)
        case _:
            die(f"No such command: {arguments}", 2)


with (HOME / "calls").open("a") as calls:
    calls.write(f"{Path(sys.argv[0]).name} {' '.join(sys.argv[1:3])}\n")
if not (HOME / "registry").exists():
    die("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
(docker if Path(sys.argv[0]).name == "docker" else compose)(sys.argv[1:], load())
