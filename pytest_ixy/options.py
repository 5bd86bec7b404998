"""Every option, once: the command line, ini keys and `IXY_…` variables are made from this table.

Imported by every pytest run in the environment, so nothing but the standard library is used here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

TERAVM = "teravm"
"""The scenario that has a lab in the place of a repository."""
GROUP = "ixy: network drivers in real machines"


@dataclass(frozen=True)
class Option:
    """One thing that a user can set.

    Attributes:
        name: Its name in `Settings`; the other names follow from it.
        type: str, int, float, bool, Path, timedelta, or list for one that can be given several times.
            Relative paths start at the folder of whoever gave them.
        default: What counts when nobody gives it; None when there is nothing to assume.
        help: What it does, for `pytest --help`.
        metavar: What stands for the value in the help; empty for a switch.
        choices: The values that are allowed; empty when any is.
        minimum, maximum: Bounds of a number, both included; a float is more than its minimum.
    """

    name: str
    type: type
    default: Any
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 2**31 - 1

    @property
    def flag(self) -> str:
        """Its name on the command line, such as `--ixy-repo`."""
        return "--ixy-" + self.name.replace("_", "-")

    @property
    def key(self) -> str:
        """Its name in pytest's ini files, and its attribute in pytest's parsed options."""
        return "ixy_" + self.name

    @property
    def variable(self) -> str:
        """Its name in the environment, such as `IXY_REPO`."""
        return "IXY_" + self.name.upper()


OPTIONS = (
    Option(
        "repo",
        list,
        None,
        "repository to test: a URL, OWNER/NAME on GitHub, or a folder, with @REF for a version. A folder "
        "without a version is taken as it stands, with what is not committed yet. Can be given several "
        "times: each is tested on machines of its own, one after the other or, with -n auto, as many at once "
        "as there is room for. Without this option, --ixy-replay or --ixy-scenario=teravm nothing is done",
        "URL|OWNER/NAME|FOLDER",
    ),
    Option(
        "replay",
        Path,
        None,
        "judge again what a trial left: a bundle's folder, or a capture (then --ixy-packets may say how many "
        "were asked for). Nothing is provisioned. Excludes --ixy-repo",
        "BUNDLE|CAPTURE",
    ),
    Option(
        "ref",
        str,
        None,
        "branch, tag or commit (full or short SHA) to test, where there is one repository; default: its "
        "default branch",
        "REF",
    ),
    Option("config", Path, None, "read this config.toml (ixy-ci's works unchanged)", "FILE"),
    Option(
        "provider",
        str,
        "qemu",
        "who gives the machines: qemu, openstack ([openstack] in config.toml) or static (hosts of your own: "
        "[static] in config.toml)",
        "NAME",
    ),
    Option(
        "scenario",
        str,
        "forward",
        "what to run: forward (pktgen -> fwd -> pcap), localise (one program of the target at a time "
        "beside references: which one is at fault), frames (of all kinds, through fwd), lifecycle "
        "(restarts, a late start, idleness, both ways at once, a link that goes down), soak (traffic for "
        "minutes: what changes over time), or teravm (another lab: AGW, FEGs and an NG40 tester, [lab] in "
        "config.toml; there is no repository then)",
        "NAME",
    ),
    Option(
        "tag",
        str,
        "latest",
        "the build that a TeraVM lab is upgraded to: latest, the hash of one that its AGW knows, or current "
        "to upgrade nothing (latest)",
        "latest|HASH|current",
    ),
    Option("packets", int, 100_000, "how many packets pcap captures (100000)", "N", minimum=1),
    Option(
        "minutes",
        float,
        5.0,
        "how long traffic lasts in scenario soak (5)",
        "MINUTES",
        minimum=0,
        maximum=10_000,
    ),
    Option(
        "artifacts",
        Path,
        "ixy-artifacts",
        "folder for captures, logs and manifests of all trials (ixy-artifacts)",
        "FOLDER",
    ),
    Option(
        "dialect",
        str,
        None,
        "what the target's packets look like, in place of the [dialect] of its ixy-ci.toml: a name such as "
        "rust, or a TOML file. pytest-ixy judge --guess CAPTURE proposes one",
        "NAME|FILE",
    ),
    Option(
        "set",
        list,
        None,
        "set an option of a rule, such as order.max_ratio=0.01, or what a broken one does: "
        "order.severity=fail, report (the test passes and the summary tells) or off. Can be given several "
        "times, and wins over [rules.NAME] in config.toml and ixy-ci.toml. pytest-ixy rules lists all",
        "RULE.OPTION=VALUE",
    ),
    Option(
        "role",
        list,
        None,
        "who plays a role in place of the target's own program: reference (stock tools: tcpreplay, tc, "
        "tcpdump) or another repository, as for --ixy-repo, with @REF for a version: pktgen=owner/name@v1. "
        "Can be given several times, and wins over [roles] in ixy-ci.toml",
        "ROLE=WHO",
    ),
    Option(
        "nic",
        list,
        None,
        "model of the test NICs: virtio (transitional), virtio-modern, e1000, e1000e, vmxnet3, igb; what a "
        "provider makes of them stands in docs/nics.md. Can be given several times (virtio)",
        "MODEL",
    ),
    Option(
        "localise",
        str,
        "failed",
        "whether scenario localise follows forward, to say which program is at fault: never, failed (when a "
        "test on the trial has failed) or always. It follows when no path is given (failed)",
        "WHEN",
        choices=("never", "failed", "always"),
    ),
    Option("idle", int, 60, "seconds without traffic in scenario lifecycle (60)", "SECONDS", maximum=86_400),
    Option(
        "gdb",
        str,
        None,
        "start this role under gdbserver and wait until somebody has connected a debugger and let it run; "
        "the command to type is printed. Deadlines do not count then",
        "ROLE",
        choices=("pktgen", "fwd", "pcap"),
    ),
    Option("offline", bool, False, "cut the machines off the internet"),
    Option(
        "build",
        str,
        "kept",
        "where the build of a target with build_once comes from: kept (from an earlier run of the same "
        "files, commands and image, if there was one) or fresh (built anew, and kept) (kept)",
        "WHICH",
        choices=("kept", "fresh"),
    ),
    Option(
        "keep",
        str,
        "never",
        "hold the machines after the run, to look at them with pytest-ixy ssh and logs: never, failed (when "
        "a test has failed) or always (never)",
        "WHEN",
        choices=("never", "failed", "always"),
    ),
    Option(
        "keep_for",
        timedelta,
        timedelta(hours=1),
        "how long they are held, such as 30m or 8h; pytest-ixy release ends it before that (1h)",
        "TIME",
    ),
    Option(
        "image",
        Path,
        None,
        "boot this cloud image (qcow2 with cloud-init) instead of the one that pytest-ixy builds",
        "FILE",
    ),
    Option(
        "accel",
        str,
        "auto",
        "how virtual machines run: kvm (hardware), tcg (emulated, works everywhere) or auto (kvm where "
        "it is shown to work, else tcg)",
        "NAME",
        choices=("auto", "kvm", "tcg"),
    ),
    Option("memory", int, 2048, "memory of each virtual machine in MiB (2048)", "MIB", minimum=256),
)


class _Once(argparse.Action):
    """Stores a value and refuses another one: which of the two would be meant?"""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Any = None,
    ) -> None:
        # pytest parses the command line several times, so the same value may be there already
        if getattr(namespace, self.dest, None) not in {None, values}:
            parser.error(f"{option_string} is given twice")
        setattr(namespace, self.dest, values)


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest of every option: a flag and an ini key each.

    Values stay the strings that the user gave; `settings.resolve` checks them all in one way.
    """
    group = parser.getgroup("ixy", GROUP)
    for option in OPTIONS:
        text = f"{option.help}. Also {option.variable}".replace("%", "%%")
        action = {bool: "store_true", list: "append"}.get(option.type, _Once)
        shown = {} if option.type is bool else {"metavar": option.metavar}
        group.addoption(option.flag, action=action, default=None, dest=option.key, help=text, **shown)
        parser.addini(option.key, f"see {option.flag}", type=_ini_type(option), default=None)


def _ini_type(option: Option) -> Any:
    return {bool: "bool", int: "int", list: "linelist"}.get(option.type, "string")


def command_line(namespace: argparse.Namespace) -> dict[str, Any]:
    """What the user gave on the command line, by option name; None where nothing."""
    return {option.name: getattr(namespace, option.key, None) for option in OPTIONS}


def ini(config: pytest.Config) -> dict[str, Any]:
    """What pytest's ini file gives, by option name; None where nothing."""
    return {option.name: config.getini(option.key) for option in OPTIONS}
