"""`[lab]` of config.toml: a lab of AGW, FEGs and an NG40 controller, for scenario `teravm`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pytest_ixy.hosttable import HostTable, Shared, Time
from pytest_ixy.ng40.records import CASE, LONGEST_CASE
from pytest_ixy.tomlfile import Table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,39}", re.ASCII)
_WORD = re.compile(r"[^\s\x00-\x1f;|&<>$`'\"\\*?(){}!#~-][^\s\x00-\x1f;|&<>$`'\"\\*?(){}!#]{0,199}")


TAKEN = frozenset({"connect", "lease", "tag", "idle", "rules"})
"""What stands in the place of a list's name in ids of steps and rules."""


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("should be a short name of letters, digits, `_` and `.`: it stands in test ids")
    return name


def _case(name: str) -> str:
    if not CASE.fullmatch(name) or len(name) > LONGEST_CASE:
        raise ValueError("should be the name of a case: letters, digits, `_`, `.` and `-`")
    return name


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError("should be one plain word: no blanks, quotes or other signs of the shell")
    return text


Name = Annotated[str, AfterValidator(_name)]
Case = Annotated[str, AfterValidator(_case)]
Word = Annotated[str, AfterValidator(_word)]


class LabHost(HostTable):
    """One host of the lab.

    Attributes:
        root: Whether the user may become root there (`sudo -n`); where not, nothing is asked of root, and
            the lease lies in the user's own folder of /dev/shm.
    """

    root: bool = True


class AgwTable(LabHost):
    """`[lab.agw]`: the access gateway, a Debian host with the package `magma`.

    Attributes:
        package: What is upgraded, and whose versions `apt-cache madison` lists.
        restart: Services that are restarted after an upgrade.
        services: Services that have to be up then.
        install: How long apt may take.
        health: How long the services may take until all are up.
    """

    package: Word = "magma"
    restart: list[Word] = Field(["sctpd"])
    services: list[Word] = Field(["sctpd", "magma@magmad"])
    install: Time = "30m"
    health: Time = "5m"


class FegTable(LabHost):
    """`[[lab.feg]]`: a federation gateway, a host with a compose project.

    Attributes:
        name: What it is called in test ids.
        folder: Where its `docker-compose.yml` and `.env` are.
        compose: The program that brings it up.
        variable: The variable of `.env` that holds the version.
        file: URL or path on the host of the compose file to fetch at each upgrade, in which `{hash}` stands
            for the build; left out, the one that is there is kept.
        prune_at: Percentage of the disk from which unused images are removed before the upgrade.
        install: How long all of the upgrade may take.
        health: How long the services may take until all are up.
    """

    name: Name
    folder: Word = "/var/opt/magma/docker"
    compose: list[Word] = Field(["docker-compose"])
    variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "IMAGE_VERSION"
    file: str | None = None
    prune_at: Annotated[int, Field(ge=1, le=100)] = 80
    install: Time = "30m"
    health: Time = "5m"


class Ng40Table(LabHost):
    """`[lab.ng40]`: the controller of the tester. Relative paths start at the user's home.

    Attributes:
        folder: Where the test lists are and where `program` is run.
        program: Runs a test list.
        state: The test list that tells whether the tester is idle; its status is non-zero when it is not.
        cleanup: Forces everything to an end.
        run_logs: Where each run leaves a log that names the planned cases, relative to `folder`.
        case_logs, captures: Where cases leave logs and captures, relative to `folder`.
        collect: MiB of case logs and captures that are fetched of one list at most.
        idle: How long to wait while the tester is busy.
        settle: How long to wait after a forced clean-up.
        clean: When to force a clean-up before the lists: `needed` (a run before was cut off) or `always`.
    """

    root: bool = False
    folder: Word = "config/ng40cvnf/testlist"
    program: Word = "ng40test"
    state: Word = "state.ntl"
    cleanup: list[Word] = Field(["ng40forcecleanup", "all"])
    run_logs: Word = "log"
    case_logs: Word = "../ran/log"
    captures: Word = "../ran/pcap"
    collect: Annotated[int, Field(ge=0, le=1 << 20)] = 2048
    idle: Time = "10m"
    settle: Time = "10s"
    clean: Literal["needed", "always"] = "needed"


class ListTable(Table):
    """`[[lab.lists]]`: a test list.

    Attributes:
        name: What it is called in test ids; left out, the file's name without `.ntl`.
        file: The file that is given to the program.
        cases: Names of its cases; left out, those that the last bundle knows.
        timeout: How long all of it may take.
        case_timeout: How long one case may take.
        silence: How long nothing may be printed.
        retry: Whether a failed case is run once more, alone. Its first verdict still counts.
        alone: What is given to the program for one case alone, in which `{case}` stands for its name.
    """

    file: Word
    name: Name = ""
    cases: list[Case] | None = None
    timeout: Time = "4h"
    case_timeout: Time = "45m"
    silence: Time = "30m"
    retry: bool = False
    alone: str = "{case}.ntl"

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if isinstance(data, dict) and "name" not in data and isinstance(data.get("file"), str):
            name = data["file"].rpartition("/")[2].removesuffix(".ntl").replace("-", "_")
            return {**data, "name": name}
        return data


class ConnectTable(Table):
    """`[lab.connect]`: a VPN that is brought up for the run.

    Attributes:
        kind: openvpn, wireguard, or command for any other.
        config: The configuration file of openvpn or wireguard; relative paths start at config.toml.
        up, down: What is run for `command`: a program and its arguments. `up` has to end when the lab can be
            reached, or to stay in the foreground until it gets SIGTERM; then there is no `down`.
        pass_on: Names of environment variables that the program gets beside PATH and HOME: secrets are given
            by these or in files, never here.
        wait: How long it may take to come up.
    """

    kind: Literal["openvpn", "wireguard", "command"]
    config: str | None = None
    up: list[str] | None = None
    down: list[str] | None = None
    pass_on: list[Word] = Field(default_factory=list)
    wait: Time = "90s"

    @model_validator(mode="after")
    def _complete(self) -> ConnectTable:
        if self.kind == "command" and not self.up:
            raise ValueError("should have `up`: the command that makes the connection")
        if self.kind != "command" and (self.up or self.down or not self.config):
            raise ValueError("should have `config`, the file to use, and neither `up` nor `down`")
        return self


class LabTable(Shared):
    """`[lab]`.

    Attributes:
        name: What the lab is called in test ids.
        wait: How long to wait while somebody else has the lab.
        strict: Whether a case that nobody expected is an error.
        inconclusive: What an inconclusive case does: fail its test, or only report.
        user_plane: What a case does that passed while all its packets were lost: fail or report.
    """

    name: Name = "lab"
    wait: Time = "4h"
    strict: bool = False
    inconclusive: Literal["fail", "report"] = "fail"
    user_plane: Literal["fail", "report"] = "report"
    connect: ConnectTable | None = None
    agw: AgwTable
    feg: list[FegTable] = Field(default_factory=list)
    ng40: Ng40Table
    lists: Annotated[list[ListTable], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> LabTable:
        named = {"feg": [one.name for one in self.feg], "lists": [one.name for one in self.lists]}
        for what, names in named.items():
            if len(set(names)) < len(names):
                raise ValueError(f"should have {what} with names that differ")
        if {"agw", "ng40"} & {one.name for one in self.feg}:
            raise ValueError("should not call a feg `agw` or `ng40`")
        if taken := TAKEN.intersection(named["lists"]):
            raise ValueError(
                f"should not call a list `{min(taken)}`: the gate knows something else by that name"
            )
        return self
