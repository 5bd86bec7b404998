"""The NG40 controller: a user without any rights, and stand-ins for the programs that he has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_ixy.remote import Host
from teravm.putting import put, root

HERE = Path(__file__).parent / "ng40"
USER = "ng40"
HOME = f"/home/{USER}/config/ng40cvnf"
INSTALL = f"""set -e
useradd --create-home --shell /bin/bash --password '*' {USER}
install -d -m 700 -o {USER} -g {USER} ~{USER}/.ssh
install -m 600 -o {USER} -g {USER} /home/*/.ssh/authorized_keys ~{USER}/.ssh/
cp "$(command -v tcpdump || echo /usr/sbin/tcpdump)" /usr/local/bin/standin-tcpdump
PATH=$PATH:/usr/sbin:/sbin setcap cap_net_raw+ep /usr/local/bin/standin-tcpdump
for name in ng40test ng40forcecleanup; do
    chmod 755 /opt/standin-ng40/$name.py
    ln -sf /opt/standin-ng40/$name.py /usr/local/bin/$name
done
"""
RESET = f"""set -e
runuser -u {USER} -- ng40forcecleanup all
rm -rf {HOME}/*
runuser -u {USER} -- mkdir -p {HOME}/testlist {HOME}/standin
runuser -u {USER} -- touch {HOME}/standin/calls
"""
STATE = "busy\n"


class Tester:
    """The controller, as a test looks at it and breaks it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def install(self) -> None:
        """Set the machine up with the programs; `reset` makes the user's folders."""
        put(self.host, HERE, "/opt/standin-ng40")
        root(self.host, INSTALL)

    def reset(self) -> None:
        """As it was: idle, without any list but `state.ntl`, without logs."""
        root(self.host, f"rm -f {HOME}/standin/no-cleanup; {RESET}")
        self.write({"state": STATE})

    def write(self, lists: Mapping[str, str]) -> None:
        """Write test lists, by name without `.ntl`; ng40/plan.py says what may stand in them."""
        for name, text in lists.items():
            self.host.upload(text.encode(), f"{HOME}/testlist/{name}.ntl", root=True)

    def occupy(self, why: str) -> None:
        """Somebody else uses the tester, until `vacate` or a forced clean-up."""
        self.run(f"echo {why!r} >{HOME}/standin/busy")

    def vacate(self) -> None:
        """He is done."""
        root(self.host, f"rm -f {HOME}/standin/busy")

    def refuse_cleanup(self) -> None:
        """From now on a forced clean-up fails."""
        self.run(f"touch {HOME}/standin/no-cleanup")

    def run(self, command: str, timeout: float = 60) -> str:
        """Run a command as the tester's user where the lists are; its output, and a status other than 0."""
        words = f'cd {HOME}/testlist && exec runuser -u {USER} -- bash -c "$COMMAND"'
        done = self.host.run(words, timeout=timeout, root=True, environment={"COMMAND": command})
        return done.output if done.ok else f"{done.output}status {done.exit.status}\n"

    @property
    def calls(self) -> list[str]:
        """How the two programs were called, in order."""
        return root(self.host, f"cat {HOME}/standin/calls").splitlines()

    @property
    def processes(self) -> list[str]:
        """What runs of the tester: `test-PID`, `ran-PID`, `child-PID`."""
        script = f"cd {HOME}/standin && for n in *-[0-9]*; do [ -e /proc/${{n##*-}} ] && echo $n; done; true"
        return root(self.host, script).splitlines()

    @property
    def files(self) -> list[str]:
        """Logs and captures, relative to `~/config/ng40cvnf`."""
        return sorted(
            root(self.host, f"cd {HOME} && find testlist/log ran -type f 2>/dev/null; true").splitlines()
        )
