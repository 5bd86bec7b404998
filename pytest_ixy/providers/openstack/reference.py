"""What a thing of a cloud is called and where it is: text for the ledger, with no secret in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

KIND = "openstack"
"""Of the ledger's entries that this provider makes."""

ENVIRONMENT = "envvars"
"""openstacksdk's name for the cloud that the `OS_…` variables describe."""


@dataclass(frozen=True)
class Reference:
    """Where to log in, and where what is secret about that can be found.

    Attributes:
        cloud: Name in a clouds.yaml, or `ENVIRONMENT`; empty where `[openstack]` of a config.toml tells.
        file: That clouds.yaml or config.toml.
        region: Name of the region; empty for the cloud's own.
        project: Id of the project; empty while it is not known.
    """

    cloud: str = ""
    file: str = ""
    region: str = ""
    project: str = ""

    @property
    def words(self) -> str:
        """For people."""
        if self.cloud == ENVIRONMENT:
            return "the cloud of the OS_ variables"
        return f"the cloud {self.cloud!r}" if self.cloud else f"the cloud of {self.file or 'config.toml'}"


@dataclass(frozen=True)
class Thing:
    """One thing of a cloud that a run has made, or was about to make.

    Attributes:
        kind: Word for what it is, such as `server`; see `kinds.KINDS`.
        name: Its name, which nothing else in the cloud has.
        run: Id of the run.
        at: Seconds since 1970 when it was about to be made.
        place: Where.
    """

    kind: str
    name: str
    run: str
    at: int
    place: Reference

    def text(self) -> str:
        """As it stands in the ledger: words of a shell, so that people can read it."""
        return shlex.join([self.kind, self.name, *self._fields()])

    def _fields(self) -> Iterator[str]:
        yield from (f"run={self.run}", f"at={self.at}")
        yield from (f"{name}={value}" for name, value in vars(self.place).items() if value)

    @classmethod
    def parse(cls, text: str) -> Thing:
        """What `text` gave, as a `Thing` again; ValueError for anything else."""
        kind, name, *fields = shlex.split(text)
        known = dict(field.split("=", 1) for field in fields)
        run, at = known.pop("run", ""), int(known.pop("at", ""))
        try:
            return cls(kind, name, run, at, Reference(**known))
        except TypeError as error:
            raise ValueError(str(error)) from None
