"""Command line > `IXY_…` environment > pytest's ini file > config.toml > default."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy import cast, dialect, tomlfile, wanted
from pytest_ixy import given as giving
from pytest_ixy import nics as models
from pytest_ixy.cast import Cast
from pytest_ixy.config import Config, OpenStackTable, StaticTable, Timeouts
from pytest_ixy.dialect import Dialect
from pytest_ixy.errors import UsageError
from pytest_ixy.given import Given
from pytest_ixy.labtable import LabTable
from pytest_ixy.options import OPTIONS
from pytest_ixy.terms import Tables, Terms, check_file, parse
from pytest_ixy.topology import PciAddresses
from pytest_ixy.values import path_of, value
from pytest_ixy.wanted import SUBJECTS, Wanted, anchored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["QemuSettings", "Settings", "Timeouts", "resolve"]

LASTING = ("config", "idle", "image", "accel", "memory", "offline", "nic")
"""What a bundle has on record so that its trial can be run again alike, and nothing else there tells."""
APART = ("repo", "dialect", "set", "role", "nic")


@dataclass(frozen=True)
class QemuSettings:
    """What only the provider `qemu` wants: `memory` is MiB for each machine."""

    image: Path | None
    accel: str
    memory: int


@dataclass(frozen=True)
class Settings:
    """Everything that a run is told, checked. Paths are absolute.

    Attributes:
        repo, ref: What to test, as the user wrote it; None when not given. The first one of `targets`.
        replay: A bundle or capture to judge again instead.
        config: The config.toml that was read, if any.
        packets: N, the number of packets that pcap captures.
        minutes: How long traffic lasts where a scenario goes by time.
        given: Names of the options that somebody gave, on the command line or elsewhere.
        idle: Seconds without traffic in scenario lifecycle.
        static: That table of config.toml: hosts that exist.
        gdb: The role that is started under gdbserver, if any.
        build: Whether a kept build may be used: kept or fresh.
        offline: True to cut the machines off the internet.
        openstack: That table of config.toml, kept as it is.
        terms: How to judge, as far as it does not stand in the target.
        roles: Who is to play which role, as far as it does not stand in the target.
        localise: Whether scenario localise follows forward: never, failed or always.
        nics: Models of the test NICs that were asked for; empty when none was.
        nic: The one that this run has.
        keep: Whether the testbed is held after the run: never, failed or always.
        keep_for: How long it is held.
        asked: Of these what was asked for this time, on the command line and in the environment. A
            bundle is judged by what is on record unless somebody asks for something else.
        targets: All that are to be tested, each with what is said of it alone.
        tag: The build that a TeraVM lab is upgraded to: latest, or a hash.
        lab: That table of config.toml: the TeraVM lab.
    """

    repo: str | None
    replay: Path | None
    ref: str | None
    config: Path | None
    provider: str
    scenario: str
    packets: int
    minutes: float
    pci: PciAddresses
    artifacts: Path
    offline: bool
    qemu: QemuSettings
    timeouts: Timeouts
    openstack: OpenStackTable | None = None
    given: frozenset[str] = frozenset()
    terms: Terms = field(default_factory=Terms)
    asked: Terms = field(default_factory=Terms)
    idle: int = 60
    roles: Cast = field(default_factory=dict)
    localise: str = "failed"
    keep: str = "never"
    keep_for: timedelta = timedelta(hours=1)
    gdb: str | None = None
    static: StaticTable | None = None
    targets: tuple[Wanted, ...] = ()
    nics: tuple[str, ...] = ()
    nic: str = models.DEFAULT
    build: str = "kept"
    tag: str = "latest"
    lab: LabTable | None = None

    @property
    def asked_nic(self) -> str | None:
        """The model of the NICs, if somebody asked for one: then it stands in test ids."""
        return self.nic if "nic" in self.given else None

    def on(self, nic: str) -> Settings:
        """The same with NICs of that model, asked for by name."""
        return replace(self, nic=nic, nics=(nic,), given=self.given | {"nic"})

    @property
    def told(self) -> dict[str, str]:
        """Options that were given and on which machines and courses depend, as texts by name."""
        values = {**vars(self), **vars(self.qemu)}
        return {name: str(values[name]) for name in LASTING if name in self.given}

    @property
    def each(self) -> tuple[Settings, ...]:
        """These settings for each target on each model of NIC; as they are where none was named."""
        targets = tuple(map(self._of, self.targets)) or (self,)
        return tuple(
            one.on(nic) if one.nics else one for one in targets for nic in one.nics or (models.DEFAULT,)
        )

    def _of(self, target: Wanted) -> Settings:
        terms = replace(self.terms, dialect=target.dialect or self.terms.dialect)
        roles = {**target.roles, **self.roles}
        found = replace(self, repo=target.repo, ref=target.ref, roles=roles, terms=terms)
        return replace(found, nics=target.nics or self.nics)


def resolve(
    *,
    cli: Mapping[str, Any],
    environ: Mapping[str, str],
    ini: Mapping[str, Any],
    ini_folder: Path | None = None,
) -> Settings:
    """Settle every option.

    Args:
        cli: Values from the command line by option name; None or absent where not given.
        environ: The environment, in which `IXY_…` is looked up.
        ini: Values from pytest's ini file by option name.
        ini_folder: Folder of that ini file, where relative paths in it start.

    Raises:
        UsageError: a value or the config.toml is wrong; the text says which and where.
    """
    here = Path.cwd()
    layers = [
        dict(giving.from_command_line(cli, here)),
        dict(giving.from_environment(environ, here)),
        dict(giving.from_ini(ini, ini_folder or here)),
    ]
    path = next((path_of(layer["config"]) for layer in layers if "config" in layer), None)
    file = tomlfile.read(path) if path else tomlfile.TomlFile("", "", {})
    folder = path.parent if path else here
    config = file.check(Config)
    check_file(file, config.rules)
    layers.append(dict(giving.from_file(file, folder)))
    strongest = _strongest(layers)
    values = {option.name: value(option, strongest, here) for option in OPTIONS if option.name not in APART}
    asked_models = _nics(strongest.get("nic"))
    asked, standing = (_terms(strong).over(_terms(weak)) for strong, weak in (layers[:2], layers[2:]))
    targets = wanted.settle(layers[:3], strongest, wanted.ConfigFile(file, config, folder))
    first = {"repo": targets[0].repo, "ref": targets[0].ref} if targets else {"repo": None}
    return replace(
        _settings({**values, **first}, config),
        given=frozenset(strongest),
        roles=_roles(strongest.get("role")),
        nics=asked_models,
        nic=asked_models[0] if asked_models else models.DEFAULT,
        asked=asked,
        terms=asked.over(standing).over(Terms(rules=config.rules)),
        targets=targets,
    )


def _strongest(layers: Iterable[Mapping[str, Given]]) -> dict[str, Given]:
    """Of each option the first that was given, in layers from strong to weak."""
    found: dict[str, Given] = {}
    for layer in layers:
        found = {**{name: one for name, one in layer.items() if not _excluded(name, layer, found)}, **found}
    return found


def _terms(layer: Mapping[str, Given]) -> Terms:
    """What a layer says of how to judge."""
    return Terms(_dialect(layer.get("dialect")), _rules(layer.get("set")))


def _dialect(given: Given | None) -> Dialect | None:
    if given is None:
        return None
    text = given.text
    with given.blamed():
        return dialect.find(text, given.folder)


def _rules(given: Given | None) -> Tables:
    if given is None:
        return {}
    texts = [each.text for each in given.words]
    with given.blamed():
        return parse(texts)


def _roles(given: Given | None) -> Cast:
    if given is None:
        return {}
    texts = [each.text for each in given.words]
    with given.blamed():
        return {role: anchored(player, given) for role, player in cast.parse(texts).items()}


def _nics(given: Given | None) -> tuple[str, ...]:
    if given is None:
        return ()
    texts = [each.text for each in given.words]
    with given.blamed():
        return models.parse(texts)


def _excluded(name: str, layer: Mapping[str, Given], stronger: Mapping[str, Given]) -> bool:
    """Whether what is to be judged has been said by someone stronger; UsageError when it is said twice."""
    if name not in SUBJECTS:
        return False
    if any(subject in stronger for subject in SUBJECTS):
        return True
    repo, replay = map(layer.get, SUBJECTS)
    if repo and replay:
        raise UsageError(
            f"{repo.origin} and {replay.origin} exclude each other.",
            hint="give a repository to test, or a trial to judge again",
        )
    return False


def _settings(values: dict[str, Any], config: Config) -> Settings:
    qemu = QemuSettings(*(values.pop(name) for name in ("image", "accel", "memory")))
    pci = PciAddresses(**config.test.pci_addresses.model_dump())
    return Settings(
        **values,
        pci=pci,
        qemu=qemu,
        timeouts=config.timeouts,
        openstack=config.openstack,
        static=config.static,
        lab=config.lab,
    )
