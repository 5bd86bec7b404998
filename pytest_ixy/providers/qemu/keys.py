"""SSH keys of an image: one to enter its machines, one that they show."""

from __future__ import annotations

import os
from pathlib import Path


def make(folder: Path) -> None:
    """Write `key`, `key.pub`, `host_key` and `host_key.pub` (ed25519) into the folder."""
    for name in ("key", "host_key"):
        private, public = _pair()
        _write_private(folder / name, private)
        (folder / f"{name}.pub").write_bytes(public + b"\n")


def _pair() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    return private, key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
