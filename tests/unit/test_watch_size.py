"""The loop that tells how large a file on the node is: a real SSH server on this machine."""

from __future__ import annotations

import time

from sshd import until

from pytest_ixy.roles import watch_size

pytest_plugins = ["sshd_fixtures"]


def test_it_tells_how_the_file_grows(host, tmp_path):
    file = tmp_path / "capture of 'mine'.pcap"
    file.write_bytes(b"x" * 24)
    sizes = watch_size(host, str(file))
    assert until(lambda: "24" in sizes.output.split())
    file.write_bytes(b"x" * 100)
    assert until(lambda: sizes.output.split()[-1] == "100")
    sizes.stop()


def test_one_signal_ends_it_whenever_that_comes(host, tmp_path):
    ways = []
    for number in range(10):
        loop = watch_size(host, str(tmp_path / "never"))
        time.sleep(0.19 + number / 500)  # where a round of the loop ends
        ways.append(loop.stop(2.0).needed)
    assert set(ways) == {"INT"}
