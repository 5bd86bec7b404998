"""Landlord and tenants: who gets a testbed and when, by real sockets and threads."""

from __future__ import annotations

import queue
import threading

import pytest
from sshd import until

from pytest_ixy.bundle import Phase, ProviderRecord
from pytest_ixy.errors import LabError
from pytest_ixy.letting.landlord import Landlord
from pytest_ixy.letting.places import ClosedError, Places
from pytest_ixy.letting.tenant import Tenant
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Testbed
from pytest_ixy.topology import PciAddresses, forward_topology


class House:
    """Made as `script` says: a testbed, an error, or, for None, whatever comes of an interruption."""

    def __init__(self, name, *script):
        self.name, self._script = name, list(script)
        self.threads, self.left = set(), []
        self._given_up = threading.Event()
        self.busy = threading.Event()

    @property
    def phases(self):
        return [Phase(name="boot", started="2026-01-01T00:00:00Z", seconds=1.0)]

    def testbed(self):
        self.threads.add(threading.get_ident())
        self.busy.set()
        error = self._script.pop(0) if self._script else LabError("given up")
        if error is None:
            self._given_up.wait(30)
            raise LabError("given up")
        if isinstance(error, Exception):
            raise error
        return Testbed(
            f"{self.name}-{error}", forward_topology(PciAddresses()), ProviderRecord(name="x"), (), {}
        )

    renew = testbed

    def interrupt(self):
        self._given_up.set()

    def leave(self, *, failed):
        self.threads.add(threading.get_ident())
        self.left.append(failed)


@pytest.fixture
def let():
    """Makes a landlord of some houses: `let(House("a", 1), places=1)`."""
    made = []

    def make(*houses, places=None):
        made.append(Landlord({house.name: house for house in houses}, places, said.append))
        return made[-1].address

    said = make.said = []
    make.made = made
    yield make
    for landlord in made:
        landlord.close()


@pytest.fixture
def tenant():
    """Makes tenants, who leave in the end: `tenant(address, "a")`."""
    made = []

    def make(address, name):
        made.append(Tenant(address, name, Progress()))
        return made[-1]

    yield make
    for one in made:
        one.leave(failed=False)


def test_a_tenant_gets_renews_and_leaves_and_one_thread_has_done_it_all(let):
    house = House("a", 1, 2)
    progress = Progress()
    tenant = Tenant(let(house), "a", progress)
    assert tenant.testbed().run == "a-1"
    assert [phase.name for phase in progress.phases] == ["boot"]
    assert tenant.renew().run == "a-2"
    tenant.leave(failed=True)
    assert until(lambda: house.left == [True])
    assert len(house.threads) == 1


@pytest.mark.parametrize("error", [LabError("no", hint="buy"), OSError(28, "full"), ZeroDivisionError("odd")])
def test_what_the_provider_raises_is_the_tenants_lab_error(error, let):
    house = House("a", error)
    tenant = Tenant(let(house), "a", Progress())
    with pytest.raises(LabError, match=r"no|full|odd"):
        tenant.testbed()
    tenant.leave(failed=False)
    assert until(lambda: house.left == [False])


def test_a_testbed_is_let_once(let, tenant):
    house = House("a", 1, 2)
    address = let(house)
    first, second = tenant(address, "a"), tenant(address, "a")
    first.testbed()
    with pytest.raises(LabError, match="Another worker has used the testbed of a"):
        second.testbed()
    assert house.left == []


def test_who_is_gone_without_a_word_has_left(let):
    house = House("a", 1)
    tenant = Tenant(let(house), "a", Progress())
    tenant.testbed()
    tenant._wire.close()
    assert until(lambda: house.left == [None])


def test_no_more_are_let_at_once_than_there_are_places(let, tenant):
    houses = [House(name, 1) for name in "abc"]
    address = let(*houses, places=1)
    tenants = {house.name: tenant(address, house.name) for house in houses}
    got = queue.Queue()
    assert tenants["a"].testbed().run == "a-1"
    for name in "bc":
        threading.Thread(target=lambda name=name: got.put(tenants[name].testbed().run), daemon=True).start()
        assert until(lambda name=name: any(text.startswith(f"{name} waits") for text in let.said))
    assert got.empty()
    for name in "ab":
        tenants[name].leave(failed=False)
        assert got.get(timeout=30) == f"{chr(ord(name) + 1)}-1"


def test_closing_interrupts_who_provisions_and_sends_away_who_waits(let):
    busy, waiting = House("a", None), House("b", 1)
    address = let(busy, waiting, places=1)
    failures = queue.Queue()

    def rent(name):
        try:
            Tenant(address, name, Progress()).testbed()
        except LabError as error:
            failures.put(error.what)

    threading.Thread(target=rent, args="a", daemon=True).start()
    assert busy.busy.wait(30)
    threading.Thread(target=rent, args="b", daemon=True).start()
    assert until(lambda: let.said)
    let.made[0].close()
    assert {failures.get(timeout=30) for _ in "ab"} == {
        "The process that owns the machines has ended, or is about to."
    }
    assert (busy.left, waiting.left) == ([None], [])
    with pytest.raises(LabError, match="does not answer"):
        Tenant(address, "b", Progress()).testbed()


def test_places_are_given_out_in_order_and_none_once_they_are_closed():
    places, order, gate = Places(2), [], threading.Event()

    def stay(number):
        with places.one(lambda: order.append(f"wait {number}")):
            order.append(number)
            gate.wait(30)

    threads = [threading.Thread(target=stay, args=(number,), daemon=True) for number in range(4)]
    for count, thread in enumerate(threads, 1):
        thread.start()
        assert until(lambda count=count: len(order) == count)
    assert order == [0, 1, "wait 2", "wait 3"]
    gate.set()
    for thread in threads:
        thread.join(30)
    assert order[4:] in ([2, 3], [3, 2])
    places.close()
    with pytest.raises(ClosedError), places.one(lambda: None):
        pass
