"""What a cloud may answer, by fakes: no real service fails to order. The rest is in tests/cloud."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import requests
from keystoneauth1 import exceptions as keystone
from openstack import exceptions

from pytest_ixy import ledger
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.openstack import maker, removal, trouble
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.kinds import KINDS, Kind
from pytest_ixy.providers.openstack.maker import Maker
from pytest_ixy.providers.openstack.reference import Reference, Thing


@pytest.fixture(autouse=True)
def hurried(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trouble, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(trouble.attempt, "__defaults__", ((0.0, 0.0, 0.0),))
    monkeypatch.setattr(removal, "POLL", 0.01)
    monkeypatch.setattr(removal, "_gone", set())
    monkeypatch.setattr(removal, "_held", set())
    monkeypatch.setattr(maker, "POLL", 0.01)


def failure(status, message="it says so"):
    response = requests.Response()
    response.status_code = status
    kinds = {
        403: exceptions.ForbiddenException,
        409: exceptions.ConflictException,
        404: exceptions.NotFoundException,
    }
    return kinds.get(status, exceptions.HttpException)(message, response=response)


class FakeCloud:
    """Keeps things by name; answers with the errors in `script` first, by what is asked."""

    def __init__(self, monkeypatch):
        self.things, self.script, self.asked = {}, {"make": [], "find": [], "remove": [], "look": []}, []
        fake = Kind(self.make, self.find, self.remove, self.look, lingers=True)
        monkeypatch.setitem(KINDS, "network", fake)
        self.cloud = Cloud(None, Reference("fake", project="p"), "the cloud 'fake'")

    def answer(self, what):
        self.asked.append(what)
        if self.script[what]:
            error, is_done = self.script[what].pop(0)
            if not is_done:
                raise error
            return error
        return None

    def make(self, _sdk, name, _run, _attributes):
        error = self.answer("make")
        self.things[name] = SimpleNamespace(name=name, id=len(self.asked))
        if error:
            raise error
        return self.things[name]

    def find(self, _sdk, name, _run):
        self.answer("find")
        return [self.things[name]] if name in self.things else []

    def remove(self, _sdk, thing):
        self.answer("remove")
        del self.things[thing.name]

    def look(self, _sdk, thing):
        self.answer("look")
        if thing.name not in self.things:
            raise failure(404)
        return thing


@pytest.fixture
def fake(monkeypatch):
    return FakeCloud(monkeypatch)


@pytest.fixture
def book():
    made = ledger.create("2026-run")
    yield made
    made.settle()


PASSING = [
    failure(500),
    failure(503),
    failure(429),
    keystone.ConnectFailure("x"),
    keystone.UnknownConnectionError("x", None),
    ConnectionResetError(),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_is_tried_again(fake, book, error):
    fake.script["make"] = [(error, False), (error, False)]
    assert Maker(fake.cloud, book).make("network", "n").name.startswith("ixy-2026-run-")
    assert fake.asked.count("make") == 3


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_does_not_pass_ends_after_some_tries(fake, book, error):
    fake.script["make"] = [(error, False)] * 99
    with pytest.raises(LabError, match=r"make the network n") as caught:
        Maker(fake.cloud, book).make("network", "n")
    assert fake.asked.count("make") == 4
    assert caught.value.hint


def test_what_was_made_though_the_answer_was_lost_is_not_made_twice(fake, book):
    fake.script["make"] = [(keystone.ConnectFailure("reset"), True)]
    made = Maker(fake.cloud, book).make("network", "n")
    assert fake.things == {made.name: made}
    assert fake.asked == ["make", "find"]


def test_what_was_done_though_the_answer_was_lost_is_not_taken_for_a_refusal(fake, book):
    answers = [ConnectionResetError(), failure(409, "Security group rule already exists.")]

    def work():
        raise answers.pop(0)

    Maker(fake.cloud, book).join("open the nodes", work)
    assert not answers
    answers = [failure(409, "Quota exceeded for resources: ['security_group_rule'].")]
    with pytest.raises(LabError, match="quota"):
        Maker(fake.cloud, book).join("open the nodes", work)


def test_all_is_in_the_ledger_before_it_is_asked_for(fake, book):
    fake.script["make"] = [(failure(403, "no"), False)]
    with pytest.raises(LabError):
        Maker(fake.cloud, book).make("network", "n")
    (entry,) = book.entries()
    thing = Thing.parse(entry.name)
    assert (entry.kind, thing.kind, thing.run, thing.place.project) == (
        "openstack",
        "network",
        "2026-run",
        "p",
    )


ANSWERS = [
    (keystone.Unauthorized("It requires authentication."), UsageError, r"refused \(401\)", "password"),
    (failure(403, "Policy doesn't allow it"), LabError, r"forbidden \(403\): Policy", "role"),
    (failure(403, "Quota exceeded for cores: Requested 1"), LabError, "quota .*cores", "sweep"),
    (failure(409, "Quota exceeded for resources: ['port']."), LabError, "quota .*port", "sweep"),
    (failure(413, "VolumeLimitExceeded: Maximum number of volumes"), LabError, "quota", "sweep"),
    (failure(409, "Network is in use."), LabError, "in use.*409", "docs"),
    (failure(400, "Invalid input."), LabError, "Invalid input.*400", "docs"),
    (failure(502, "Bad Gateway"), LabError, "failed 4 times, at last with 502", "later"),
    (keystone.SSLError("certificate verify failed"), LabError, "certificate verify failed", "CA certificate"),
    (keystone.ConnectTimeout("timed out"), LabError, "does not answer", "auth_url"),
    (exceptions.ConfigException("Cloud x was not found."), UsageError, "Cloud x", "clouds.yaml"),
]


@pytest.mark.parametrize(("error", "kind", "words", "hint"), ANSWERS, ids=repr)
def test_what_went_wrong_is_told_with_what_to_do(error, kind, words, hint):
    def work():
        raise error

    with pytest.raises(kind, match=words) as caught:
        trouble.attempt("make the port x", "the cloud 'c'", work)
    assert hint in caught.value.hint
    assert "\n" not in caught.value.what


def test_what_a_cloud_says_is_printed_harmless_and_short():
    found = trouble.explained(failure(400, "\x1b[31m" + "x" * 10_000), "do it", "the cloud 'c'")
    assert "\x1b" not in found.what
    assert len(found.what) < 1000


def thing(name="n", at=0.0):
    return Thing("network", name, "2026-run", int(at), Reference("fake", project="p"))


def test_what_something_else_still_holds_is_removed_once_that_lets_go(fake):
    fake.things["n"] = SimpleNamespace(name="n")
    fake.script["remove"] = [(failure(409, "in use"), False)] * 3
    assert removal.remove(thing(), fake.cloud, 10)
    assert not fake.things


def test_what_is_held_for_ever_is_told(fake):
    fake.things["n"] = SimpleNamespace(name="n")
    fake.script["remove"] = [(failure(409, "Ports are in use."), False)] * 10_000
    assert removal.remove_all([thing()], fake.cloud, 0.1) == [
        "network n: it is still there: Ports are in use."
    ]


def test_one_that_cannot_be_removed_keeps_no_other(fake):
    fake.things = {name: SimpleNamespace(name=name) for name in ("a", "b", "c")}
    fake.script["remove"] = [(failure(403, "no"), False)]
    (error,) = removal.remove_all([thing(name) for name in fake.things], fake.cloud, 5)
    assert "forbidden" in error
    assert len(fake.things) == 1


def test_what_appears_after_its_maker_was_killed_is_waited_for(fake):
    def appear():
        fake.things["n"] = SimpleNamespace(name="n")

    timer = threading.Timer(0.3, appear)
    timer.start()
    assert removal.remove(thing(at=time.time()), fake.cloud, 5, grace=10)
    timer.join()
    assert not fake.things


def test_what_never_appeared_is_nothing(fake):
    assert not removal.remove(thing(), fake.cloud, 5, grace=10)


def test_after_a_stop_nothing_is_begun_and_nothing_written(fake, book):
    made = Maker(fake.cloud, book)
    made.stop()
    with pytest.raises(LabError, match="interrupted"):
        made.make("network", "n")
    assert not book.entries()
    assert not fake.asked


def test_a_thing_that_is_never_ready_ends_the_waiting(fake, book):
    made = Maker(fake.cloud, book)
    network = made.make("network", "n")
    network.status = "BUILD"
    with pytest.raises(LabError, match=r"still BUILD after 0 s") as caught:
        made.wait("network", network, lambda _: False, 0.05)
    assert "[openstack.timeouts]" in caught.value.hint
