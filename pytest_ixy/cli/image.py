"""`pytest-ixy image build|list|remove`: the machine images in the user's cache."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_ixy import paths
from pytest_ixy.cli import options
from pytest_ixy.cli.terminal import Display, age, say, size
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.progress import Progress
from pytest_ixy.providers.qemu import store
from pytest_ixy.providers.qemu.store import Stored

EPILOG = """The image is built from Debian packages by the recipe of this version, booted once, and the booted
machine is saved; runs restore it. All that happens by itself in the first run, or now.

examples:
  pytest-ixy image build
  pytest-ixy image build --ixy-memory=4096      save a booted machine of that size as well
  pytest-ixy image list
  pytest-ixy image remove --old                 images of recipes of other versions
  pytest-ixy image remove 0123456789ab
"""


def add(commands: Any) -> None:
    """Add the command and its own commands to the parser."""
    form = argparse.RawDescriptionHelpFormatter
    text = "build, list or remove machine images"
    parser = commands.add_parser("image", help=text, description=f"{text.capitalize()}.", epilog=EPILOG)
    parser.formatter_class = form
    parser.set_defaults(run=lambda _arguments: _usage(parser))
    inner = parser.add_subparsers(title="commands", metavar="COMMAND")
    building = inner.add_parser("build", help="build the image and boot it once, so that runs start quickly")
    building.add_argument("--force", action="store_true", help="build it anew even when it is there")
    options.add(building)
    building.set_defaults(run=build)
    inner.add_parser("list", help="show what is kept").set_defaults(run=show)
    removing = inner.add_parser("remove", help="remove images with their saved machines")
    removing.add_argument("names", metavar="NAME", nargs="*", help="as `pytest-ixy image list` shows them")
    which = removing.add_mutually_exclusive_group()
    which.add_argument("--old", action="store_true", help="all that this version does not use")
    which.add_argument("--all", action="store_true", help="all")
    removing.set_defaults(run=remove)


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return 2


@contextmanager
def _workspace() -> Iterator[Any]:
    """A scratch folder with a ledger, so that a kill leaves nothing that a sweep does not find."""
    from pytest_ixy.testbed import Workspace, run_id

    space = Workspace(run_id("image", "cli"))
    try:
        yield space
    finally:
        for error in space.close().errors:
            say(f"not taken down: {error}", sys.stderr)


def build(arguments: argparse.Namespace) -> int:
    """Build the image that runs would use, and save a booted machine of it."""
    from pytest_ixy.providers.qemu import accel, cloud, image, saved
    from pytest_ixy.providers.qemu.machine import Hardware

    settings = options.settings(arguments)
    progress, wish = Progress(Display().show), settings.qemu
    with _workspace() as space:
        with progress.phase("machine image"):
            if arguments.force and wish.image is None:
                _build_anew(progress, space.scratch)
            found = (
                cloud.ensure(wish.image, progress.tell)
                if wish.image
                else image.ensure(progress.tell, space.scratch)
            )
        chosen, why = accel.choose(wish.accel, found.folder if found.kernel else None)
        say(f"accelerator: {why}", sys.stderr)
        hardware = Hardware(found, chosen, wish.memory, offline=settings.offline)
        with progress.phase("first boot"):
            if arguments.force and wish.image:
                _forget(saved.find(hardware).folder, space.scratch)
            saved.ensure(hardware, space.book, space.scratch, settings.timeouts.connect, progress.tell)
    say(f"{found.name}: ready in {found.folder}")
    return 0


def _build_anew(progress: Progress, scratch: Any) -> None:
    from pytest_ixy.providers.qemu import checks, image

    present = checks.present_image()
    with image.locked(present.folder, progress.tell):
        store.check_unused(present.name, present.folder)
        image.build(present, progress.tell, scratch)


def _forget(state: Any, scratch: Any) -> None:
    """A user's image is not ours to build, but it can be booted anew."""
    if state.exists():
        store.check_unused(state.parent.name, state.parent)
        state.rename(scratch / state.name)


def show(_arguments: argparse.Namespace) -> int:
    """List the images in the cache."""
    found = store.stored()
    if not found:
        say(f"There is no image in {paths.images_folder()}; pytest-ixy image build makes one.")
        return 0
    say(f"{'NAME':<18}  {'RECIPE':<7}  {'SIZE':>10}  {'AGE':<11}  BOOTED MACHINES")
    for one in found:
        row = f"{one.name:<18}  {one.kind:<7}  {size(one.size):>10}  {age(time.time() - one.made):<11}"
        say(f"{row}  {one.states}")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove the images asked for; 1 when one is in use."""
    chosen = _chosen(arguments)
    if not chosen:
        say("There is nothing to remove.")
        return 0
    failed = False
    with _workspace() as space:
        for one in chosen:
            try:
                store.remove(one, space.scratch)
            except LabError as error:
                failed = True
                say(f"pytest-ixy: {error}", sys.stderr)
            else:
                say(f"removed {one.name} ({size(one.size)})")
    return 1 if failed else 0


def _chosen(arguments: argparse.Namespace) -> list[Stored]:
    if bool(arguments.names) == (arguments.old or arguments.all):
        raise UsageError("Say which images to remove: names, --old or --all.", hint="pytest-ixy image list")
    if arguments.names:
        return [store.named(name) for name in dict.fromkeys(arguments.names)]
    return [one for one in store.stored() if arguments.all or one.kind in {"old", "broken"}]
