"""Which models of network devices there are, by the names that `--ixy-nic` takes.

A provider makes some of them (see docs/nics.md), and a target may say in its `ixy-ci.toml` which it drives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pytest_ixy.errors import UsageError

DEFAULT = "virtio"
WAYS = ("direct", "direct-physical", "macvtap")
"""Not models but how a device is passed through; which one that is, nobody knows beforehand."""


@dataclass(frozen=True)
class Model:
    """A kind of network device.

    Attributes:
        name: What users call it.
        words: What it is.
        ids: Vendor and device as sysfs shows them, such as `0x8086:0x100e`; empty where there are many.
    """

    name: str
    words: str
    ids: tuple[str, ...] = ()


MODELS = {
    model.name: model
    for model in (
        Model("virtio", "virtio 1.0 with the legacy interface beside it (transitional)", ("0x1af4:0x1000",)),
        Model("virtio-modern", "virtio 1.0 alone", ("0x1af4:0x1041",)),
        Model("e1000", "Intel 82540EM", ("0x8086:0x100e",)),
        Model("e1000e", "Intel 82574L", ("0x8086:0x10d3",)),
        Model("igb", "Intel 82576", ("0x8086:0x10c9",)),
        Model("vmxnet3", "VMware's paravirtual device", ("0x15ad:0x07b0",)),
        Model("ixgbe", "Intel 82599 and its kin"),
        Model("ixgbevf", "a virtual function of such a device"),
        Model("direct", "a virtual function, passed through (SR-IOV)"),
        Model("direct-physical", "a whole device, passed through"),
        Model("macvtap", "a virtual function behind a macvtap, seen as virtio"),
    )
}


def parse(texts: Iterable[str]) -> tuple[str, ...]:
    """Names of models, each once.

    Raises:
        UsageError: there is no model of such a name.
    """
    return tuple(dict.fromkeys(known(text) for text in texts))


def known(name: str) -> str:
    """That name, or a UsageError with the nearest one when there is none such."""
    if name not in MODELS:
        from pytest_ixy.tomlfile import nearest

        raise UsageError(f"there is no NIC model {name[:40]!r}{nearest(name, tuple(MODELS))}")
    return name


def require(model: str, made: Collection[str], provider: str) -> None:
    """Raise UsageError when a provider, which makes those models, does not make this one."""
    if model not in made:
        raise UsageError(
            f"The provider {provider} makes no NIC of the model {model}.",
            hint=f"choose another one: --ixy-nic={'|'.join(made)}; or another --ixy-provider",
        )


def label(target: str, asked: str | None) -> str:
    """The name in test ids of a target on NICs of a model that somebody asked for: `ixy@0e00605~e1000`."""
    return f"{target}~{asked}" if asked else target


def undriven(model: str, declared: Iterable[Collection[str] | None]) -> str:
    """Why programs are not tried on that model; empty when they are.

    Args:
        model: What the test NICs are.
        declared: Which models each repository says that it drives; None for one that does not say.
    """
    for models in declared:
        if models and model not in {*models, *WAYS}:
            return f"declared in ixy-ci.toml to drive {', '.join(models)}, not {model}"
    return ""


def expected(model: str | None) -> tuple[str, ...]:
    """Ids that a device of that model may have; empty when that is not known."""
    found = MODELS.get(model or "")
    return found.ids if found else ()
