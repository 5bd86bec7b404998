"""What servers print on their consoles, in files of the run's scratch folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_ixy.providers.openstack.door import Cloud

TIMEOUT = 15.0
LIMIT = 4 << 20


class Console:
    """Of one server.

    Attributes:
        file: Where it is kept.
    """

    def __init__(self, cloud: Cloud, server: str, file: Path) -> None:
        self._cloud, self._server, self.file = cloud, server, file
        self._is_asked = True

    def read(self) -> str:
        """What the cloud tells of it now; empty where it does not, and then it is not asked again."""
        if not self._is_asked:
            return ""
        try:
            said = self._ask()
        except Exception:  # noqa: BLE001 - not every cloud tells, and no run needs it
            self._is_asked = False
            return ""
        self.file.write_text(said, encoding="utf-8", errors="replace")
        return said

    def _ask(self) -> str:
        """Within a time of its own: a hypervisor was seen to keep such a question for a minute."""
        answer: Any = self._cloud.sdk.compute.post(
            f"/servers/{self._server}/action", json={"os-getConsoleOutput": {}}, timeout=TIMEOUT
        )
        return str(answer.json()["output"])[-LIMIT:] if answer.ok else ""
