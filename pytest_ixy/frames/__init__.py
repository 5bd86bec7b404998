"""The judgement of scenario `frames`: whether all that was sent arrived, once, in order, and as it should be.

A pure function of a bundle: what was sent stands in it beside the capture.
"""

from __future__ import annotations

from pytest_ixy.frames.finding import judge

__all__ = ["judge"]
