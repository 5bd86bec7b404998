"""The SSH key by which nodes are entered: the user's own, or one that a run makes for itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.errors import UsageError
from pytest_ixy.providers.openstack.lookup import key_file
from pytest_ixy.providers.qemu import keys
from pytest_ixy.settings import Settings


@dataclass(frozen=True)
class Key:
    """Path of the private key, None for the SSH agent's; and the public one, empty where nobody needs it."""

    path: str | None
    public: str = ""


def make(folder: Path) -> Key:
    """A key of the run's own."""
    folder.mkdir(parents=True)
    keys.make(folder)
    return Key(str(folder / "key"), (folder / "key.pub").read_text(encoding="ascii").strip())


def of_user(settings: Settings) -> Key | None:
    """What `[openstack]` names, if anything; UsageError when the key cannot be read."""
    file = key_file(settings)
    if file is None:
        named = settings.openstack and settings.openstack.keypair
        return Key(None) if named else None
    return Key(str(file), _public(file))


def _public(file: Path) -> str:
    import paramiko

    try:
        key = paramiko.PKey.from_path(str(file))
    except Exception as error:  # any broken file raises something else of paramiko's or cryptography's
        raise UsageError(
            f"The private key {file} cannot be read: {error}",
            hint="give an unencrypted one; or only its keypair, and add the key to your SSH agent",
        ) from error
    return f"{key.get_name()} {key.get_base64()}"
