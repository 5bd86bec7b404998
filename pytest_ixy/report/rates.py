"""The rates of a trial side by side: a table for the page, names for JUnit, words for a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.report.text import escape, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_ixy.rates import Rate

HEAD = ("role", "by the capture's times", "by the network's counters", "by its own output")
NOTE = (
    "Packets per second. The network counts what comes out of pktgen and fwd and what goes into pcap, while "
    "that is steady; a role's own number is as fine as what it prints."
)


def table(rates: Sequence[Rate]) -> str:
    """HTML; empty when there is nothing to show."""
    if not rates:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in HEAD)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(rate))}</tr>" for rate in rates)
    shown = f'<table class="rates"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'{shown}<p class="muted">{escape(NOTE)}</p>'


def _cells(rate: Rate) -> Iterator[str]:
    yield f"<code>{escape(rate.role)}</code>"
    yield escape(_number(rate.capture))
    yield escape(_number(rate.network))
    yield escape(_said(rate))


def _number(value: float | None) -> str:
    return "" if value is None else number(round(value))


def _said(rate: Rate) -> str:
    if rate.said is None:
        return ""
    margin = f" \N{PLUS-MINUS SIGN} {number(round(rate.said.step))}" if rate.said.step >= 1 else ""
    return f"{number(round(rate.said.rate))}{margin}"


def properties(rates: Sequence[Rate]) -> Iterator[tuple[str, object]]:
    """Names such as `rate.pktgen.network`."""
    for rate in rates:
        for witness, value in rate.as_dict().items():
            yield f"rate.{rate.role}.{witness}", f"{value:.1f}"


def in_words(rates: Sequence[Rate]) -> str:
    """One line: each role with what the network counted, or else what it said itself."""
    best = {rate.role: rate.network or rate.capture or (rate.said and rate.said.rate) for rate in rates}
    return ", ".join(f"{role} {number(round(value))}/s" for role, value in best.items() if value)
