"""Frames of all kinds through the example's fwd, in real machines."""

from __future__ import annotations

import shutil

from catalogue import variants
from workshop import Workshop

LONG = {"frames-size-1514", "frames-sizes", "frames-vlan-1518"}
"""Those with frames of 1,514 bytes and more."""
UNSUPPORTED = '[unsupported]\nframes = ["trickle"]\n'


def test_the_example_passes_the_longest_and_all_sizes(runner, target, config):
    chosen = ["-k", "size-1514 or sizes or vlan-1518"]
    result = runner.run(target(), "--ixy-scenario=frames", f"--ixy-config={config}", *chosen)
    assert result.having("passed") == set(result.outcomes) == LONG, result.output


def test_a_forwarder_that_drops_the_longest_fails_where_these_are(runner, target, config, tmp_path):
    folder = target()
    variant = variants()["fwd-drops-1514"]
    (tmp_path / "workshop").mkdir()
    shutil.copy(Workshop(tmp_path / "workshop").broken(variant), folder / "fwd")
    with (folder / "ixy-ci.toml").open("a") as toml:
        toml.write(UNSUPPORTED)
    chosen = ["-k", "size or 1518 or broadcast or trickle"]
    result = runner.run(folder, "--ixy-scenario=frames", f"--ixy-config={config}", *chosen)
    assert result.having("failure") == LONG, result.output
    assert "lost: every frame of 1,514 bytes\n" in result.texts["frames-sizes"]
    assert "lost: all of them\n" in result.texts["frames-size-1514"]
    assert result.having("skipped") == {"frames-trickle"}
    assert "declared unsupported in ixy-ci.toml" in result.texts["frames-trickle"]
    assert result.having("passed") == {"frames-size-60", "frames-broadcast"}
