"""What a TeraVM lab needs for a run: each host is logged in to and looked at; nothing is changed there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pytest_ixy import check
from pytest_ixy.check import Check, State
from pytest_ixy.errors import IxyError, LabError
from pytest_ixy.labtable import AgwTable, FegTable, LabHost, LabTable, Ng40Table
from pytest_ixy.providers.static.line import held
from pytest_ixy.providers.static.tenancy import Claim
from pytest_ixy.remote import Access, Host
from pytest_ixy.settings import Settings
from pytest_ixy.teravm.errand import MARK
from pytest_ixy.teravm.hosts import accesses, claim_of, tables

DEADLINE = 20.0
"""Seconds that a host may take to let us in, and again to answer."""
VITAL = ("flock", "setsid", "base64")
LACKS, HAS = f"{MARK}lacks ", f"{MARK}has "


def examine(settings: Settings) -> Iterator[Check]:
    """Each host of the lab, in order; never raises what a lab can cause."""
    lab = settings.lab
    if lab is None:
        yield Check("lab", State.MISSING, "there is no [lab] in config.toml; see docs/teravm.md")
        return
    if lab.connect:
        text = "the lab is reached through [lab.connect], which the doctor does not bring up"
        yield Check("connect", State.WARN, text, "bring it up by hand to have the hosts looked at")
    try:
        ways = accesses(lab, settings.config)
    except IxyError as error:
        yield Check("lab", State.MISSING, error.what, error.hint)
        return
    yield from (_host(name, ways[name], table, lab) for name, table in tables(lab).items())


def _host(name: str, access: Access, table: LabHost, lab: LabTable) -> Check:
    try:
        with Host.connect(access, deadline=DEADLINE) as host:
            return _seen(name, claim_of(access, "", "doctor", table), table, lab, host)
    except LabError as error:
        return Check(name, State.MISSING, error.what, error.hint)


def _seen(name: str, claim: Claim, table: LabHost, lab: LabTable, host: Host) -> Check:
    where = claim.access.address
    if claim.root and claim.access.sudo and not host.run("sudo -n true", timeout=DEADLINE).ok:
        user = claim.access.user
        mend = f"echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ixy   # there, as root"
        return Check(name, State.MISSING, f"{where}: sudo is not there, or asks for a password", mend)
    sight = claim.look(host, VITAL)
    lines = host.run(question(table, lab), timeout=DEADLINE, root=claim.root).output.splitlines()
    lacking = [*sight.lacks, *(line.removeprefix(LACKS) for line in lines if line.startswith(LACKS))]
    if lacking:
        return Check(name, State.MISSING, f"{where}: not there: {', '.join(lacking)}")
    found = [line.removeprefix(HAS) for line in lines if line.startswith(HAS)]
    text = ", ".join([where, *found])
    if sight.holder:
        return Check(name, State.WARN, f"{text}; it {held(sight.holder)}: a run would wait")
    return check.ok(name, f"{text}, nobody has it")


def question(table: LabHost, lab: LabTable) -> str:
    """Bash that answers what is there and what is not, in lines for us."""
    lines = [
        f'need() {{ if "${{@:2}}" >/dev/null 2>&1; then :; else echo "{LACKS}$1"; fi; }}',
        f'tell() {{ echo "{HAS}$1"; }}',
    ]
    return "\n".join([*lines, *_of(table, lab)])


def _of(table: LabHost, lab: LabTable) -> Iterator[str]:
    if isinstance(table, AgwTable):
        package = shlex.quote(table.package)
        yield f"need {shlex.quote(f'package {table.package}')} dpkg-query -W {package}"
        yield f"tell \"{table.package} $(dpkg-query -W -f '${{Version}}' {package} 2>/dev/null)\""
    elif isinstance(table, FegTable):
        yield f"need {_named('', table.folder)} test -d {shlex.quote(table.folder)}"
        yield f"need {_named('', table.compose[0])} command -v {shlex.quote(table.compose[0])}"
    elif isinstance(table, Ng40Table):
        yield from _tester(table, lab)


def _tester(table: Ng40Table, lab: LabTable) -> Iterator[str]:
    yield f"need {_named('folder ', table.folder)} test -d {shlex.quote(table.folder)}"
    programs = [table.program, table.cleanup[0]]
    for program in programs:  # as a login would find it
        yield f"need {_named('', program)} bash -lc {shlex.quote(f'command -v {shlex.quote(program)}')}"
    for file in [table.state, *(one.file for one in lab.lists)]:
        yield f"need {_named('list ', file)} test -f {shlex.quote(f'{table.folder}/{file}')}"
    yield f"tell {shlex.quote(f'{len(lab.lists)} lists')}"


def _named(kind: str, name: str) -> str:
    return shlex.quote(kind + name)
