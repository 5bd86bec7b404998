"""What a tester prints, as documented publicly: tables, the verdict, then the loss table."""

from __future__ import annotations

TABLES = """\
Signaling Table
           AttUE     ActCTXT   BrReq     BrAct     RelRq     RelAc     ActS1
ng40_ran_1 1         1         1         1         0         0         1

User Plane Downlink Table
           AS_PktTx      AS_EthTx      S1uEthRx      S1uPktRx
ng40_ran_1 185           185           185           185

Watchtime: 18 Timeout: 1800
"""


def losses(down=0, up=0):
    """The table of one case: percentages by direction."""
    return (
        "**** Packet Loss ****\n"
        f"DL Loss= AS_PktTx-S1uPktRx=     {185 * down // 100}(pkts); {down:.2f}(%)\n"
        f"UL Loss= S1uPktTx-AS_PktRx=     {64 * up // 100}(pkts); {up:.2f}(%)\n"
    )


def told(name, verdict="PASS", down=0, up=0):
    """All that is printed about one case."""
    return (
        f"{TABLES}All Tests are finished\nVerdict({name}) = VERDICT_{verdict}\n{losses(down, up)}"
        "Wait for RAN shutdown\ndone\n"
    )


def whole(cases, verdict="PASS"):
    """All that is printed about a list of names and verdicts."""
    return "".join(told(*case) for case in cases) + f"Testlist verdict = VERDICT_{verdict}\n"
