"""The way into the lab: a VPN that is brought up for the run, and down after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import timespan, undo
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ConnectTable
from pytest_ixy.ledger import Ledger
from pytest_ixy.providers.static.line import spell
from pytest_ixy.teravm.tunnel import Program, Tunnel
from pytest_ixy.undo import Undo

READY = "Initialization Sequence Completed"
SETTLED = 2.0
"""Seconds after which a command that has not ended counts as one that stays; hosts are waited for anyway."""
_NET_ADMIN = 1 << 12


class Connection:
    """A VPN as `[lab.connect]` says; nothing is done before `up`."""

    def __init__(self, table: ConnectTable, folder: Path, book: Ledger, scratch: Path, log: Path) -> None:
        """Relative paths start at `folder`; secrets are hidden in `log`, and written nowhere."""
        self._table, self._folder = table, folder
        self._book, self._scratch, self._log = book, scratch, log
        self._span = timespan.parse(table.wait).total_seconds()
        self._tunnel: Tunnel | None = None
        self._undo: Undo | None = None
        self._record: Path | None = None

    def up(self, tell: Callable[[str], None]) -> None:
        """Bring it up. The thread that does so has to live as long as the connection.

        Raises:
            LabError: a program, file, variable or root's rights are missing, or it does not come up in time.
        """
        self._check()
        tell(f"connecting: {self._table.kind}")
        {"openvpn": self._openvpn, "wireguard": self._wireguard, "command": self._command}[self._table.kind]()

    def down(self) -> list[str]:
        """Take it down; errors met. Right also when it never came up, or only half."""
        errors = [self._taken_back()]
        if self._tunnel:
            errors.append(self._tunnel.stop())
            self._tunnel = None
        return [f"{self._table.kind}: {error}" for error in errors if error]

    def ended(self) -> str | None:
        """Why it is of no use any more; None while nothing speaks against it."""
        if self._tunnel and self._stays and self._tunnel.status is not None:
            return f"{self._name} ended with status {self._tunnel.status}\n{self._tunnel.last}".rstrip()
        interface = self._undo.interface if self._undo else ""
        if self._record and interface and not undo.has_interface(interface):
            return f"the interface {interface} is gone"
        return None

    _stays = False
    """Whether the program that makes the connection runs as long as it stands."""

    @property
    def _name(self) -> str:
        command = self._table.up or ["wg-quick" if self._table.kind == "wireguard" else self._table.kind]
        return Path(command[0]).name

    def _check(self) -> None:
        unset = [name for name in self._table.pass_on if name not in os.environ]
        if unset:
            what = f"[lab.connect] pass_on names {', '.join(unset)}, which the environment has not."
            raise LabError(what, hint="give the secret to the CI job as a variable of that name")
        if self._table.kind == "command":
            return
        if self._config is None or not os.access(self._config, os.R_OK):
            raise LabError(f"The configuration of {self._table.kind}, {self._config}, cannot be read.")
        if not may_make_interfaces():
            what = (
                f"{self._table.kind} makes a network interface, which takes root's rights or CAP_NET_ADMIN."
            )
            raise LabError(what, hint="run pytest as root, or use kind = 'command' with sudo")

    @property
    def _config(self) -> Path | None:
        return (self._folder / self._table.config).absolute() if self._table.config else None

    def _start(self, command: list[str], cwd: Path, ready: str = "") -> Tunnel:
        program = Program(command, cwd, self._table.pass_on, ready)
        self._tunnel = Tunnel(program, self._book, self._log)
        return self._tunnel

    def _openvpn(self) -> None:
        config = self._config or Path()
        tunnel = self._start(["openvpn", "--config", str(config)], config.parent, READY)
        if not tunnel.says(self._span):
            raise self._failed(tunnel, "its configuration may say neither `daemon` nor `log`")
        self._stays = True

    def _wireguard(self) -> None:
        config = str(self._config)
        name = Path(config).name.removesuffix(".conf")
        if undo.has_interface(name):
            raise LabError(f"There is an interface {name} already.", hint=f"end it: wg-quick down {config}")
        self._note(Undo(("wg-quick", "down", config), str(self._folder), (), name))
        self._ends(["wg-quick", "up", config])

    def _command(self) -> None:
        if self._table.down:
            self._note(Undo(self._here(self._table.down), str(self._folder), tuple(self._table.pass_on)))
            self._ends(list(self._here(self._table.up or [])))
            return
        tunnel = self._start(list(self._here(self._table.up or [])), self._folder)
        status = tunnel.wait(min(SETTLED, self._span))
        if status is not None:
            raise self._failed(
                tunnel, "without `down` it has to stay in the foreground" if not status else ""
            )
        self._stays = True

    def _here(self, command: list[str]) -> tuple[str, ...]:
        """With a program that is given as a path starting at config.toml."""
        first = command[0]
        return (str((self._folder / first).absolute()) if "/" in first else first, *command[1:])

    def _note(self, back: Undo) -> None:
        self._undo, self._record = back, back.write(self._book, self._scratch)

    def _ends(self, command: list[str]) -> None:
        tunnel = self._start(command, self._folder)
        if tunnel.wait(self._span) != 0:
            raise self._failed(tunnel)
        tunnel.stop()  # for its last output

    def _failed(self, tunnel: Tunnel, hint: str = "") -> LabError:
        status = tunnel.wait(0.2)
        how = f"was not done in {spell(self._span)}" if status is None else f"ended with status {status}"
        if status is None:
            tunnel.stop()
        what = f"The connection to the lab did not come up: {self._name} {how}."
        return LabError(f"{what}\n{tunnel.last}".rstrip(), hint=hint)

    def _taken_back(self) -> str | None:
        if self._undo is None or self._record is None:
            return None
        try:
            self._undo.run(self._write)
        except OSError as error:
            return str(error)
        self._record.unlink(missing_ok=True)
        self._record = None
        return None

    def _write(self, text: str) -> None:
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write(text)


def may_make_interfaces() -> bool:
    """Whether this process is root, or has the capability."""
    if os.geteuid() == 0:
        return True
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return bool(found and int(found[0], 16) & _NET_ADMIN)
