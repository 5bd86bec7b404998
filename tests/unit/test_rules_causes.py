"""Guesses at causes: made where the evidence is there, and never by chance."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from bundles import make_bundle
from captures import arp_frame, ixy_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.rules import judge
from pytest_ixy.rules.causes import (
    Again,
    check_sequence,
    jumping_number,
    nearly_all,
    regular_loss,
    repeated_block,
    shifted_bytes,
    swapped_number,
)
from pytest_ixy.rules.kernel.bursts import Bursts
from pytest_ixy.rules.kernel.seen import Seen

RANDOM = settings(max_examples=400, deadline=None)
SEEDS = st.integers(0, 2**64 - 1).map(np.random.default_rng)


def loss(came) -> str:
    """The guess about a trial from which those numbers came, told by a mask."""
    one = Seen()
    numbers = np.flatnonzero(came).astype(np.uint32)
    one.add(numbers, lambda places: places)
    return regular_loss(one.missing(0, one.highest or 0)) if numbers.size else ""


def without(lost, count=20_000):
    came = np.ones(count, bool)
    came[list(lost)] = False
    return came


def guesses(tmp_path, rule, frames, **overrides):
    finding = judge(make_bundle(tmp_path, frames, **overrides), [rule])[0]
    return [line for line in finding.message.splitlines() if line.startswith("cause? ")]


# loss


def test_every_nth():
    assert loss(without(range(29, 20_000, 30))).startswith("one packet in 30 is lost, again and again")
    assert loss(np.arange(64) % 2 == 0).startswith("one packet in 2 is lost")


def test_some_at_every_nth():
    lost = [start + one for start in range(500, 20_000, 512) for one in range(start % 3 + 1)]
    assert loss(without(lost)).startswith("every 512 numbers some are lost")


def test_a_period_with_a_tenth_of_noise():
    starts = [100 * one + (7 if one == 50 else 0) for one in range(1, 100)]
    assert loss(without(starts)).startswith("one packet in 100 ")


def test_always_as_many(tmp_path):
    starts = [100, 900, 1_700, 3_111, 5_000, 7_500, 9_999, 14_000]
    for length, words in ((512, ": the size"), (511, ": the size"), (500, ""), (7, "")):
        lost = [start + one for start in starts for one in range(length)]
        assert loss(without(lost)) == f"{length} packets are lost each time" + (
            words and f"{words} of a ring or batch?"
        )
        assert loss(without(lost[: 7 * length])) == ""  # seven are too few
    lost = [start + one for start in starts for one in range(64)]
    frames = [ixy_frame(number) for number in range(15_000) if number not in set(lost)]
    (said,) = guesses(tmp_path, "loss", frames, packets=15_000)
    assert said == "cause? 64 packets are lost each time: the size of a ring or batch?"


def test_two_or_three_in_a_row_are_nothing():
    starts = [100, 900, 1_701, 3_111, 5_000, 7_500, 9_999, 14_001]
    assert loss(without([start + one for start in starts for one in range(3)])) == ""


def test_at_multiples_of_a_power_of_two():
    lost = [64 * one + 5 for one in (1, 3, 4, 9, 20, 21, 35, 50)]
    assert loss(without(lost)) == "loss begins at multiples of 64 plus 5: the border of a batch or ring?"
    assert loss(without(lost[1:])) == ""
    assert loss(without([one - 5 for one in lost])).startswith("loss begins at multiples of 64: ")


@pytest.mark.parametrize(("divisor", "least"), [(2, 64), (4, 32), (8, 16), (16, 8)])
def test_the_smaller_the_divisor_the_more_are_needed(divisor, least):
    places = np.cumsum(np.random.default_rng(3).integers(1, 40, least) * 2 + 1)
    lost = (places * divisor).tolist()
    assert f"multiples of {divisor}:" in loss(without(lost))
    assert loss(without(lost[1:])) == ""


@RANDOM
@given(random=SEEDS, share=st.floats(0.0005, 0.9995), count=st.integers(1, 30_000))
def test_random_loss_gives_no_guess(random, share, count):
    assert loss(random.random(count) >= share) == ""


@settings(max_examples=80, deadline=None)
@given(random=SEEDS)
def test_few_random_losses_give_no_guess(random):
    """Hardly as many bursts as are needed: here chance has its best chances."""
    for _ in range(20):
        lost = random.choice(20_000, random.integers(3, 70), replace=False)
        assert loss(without(lost)) == ""
        assert loss(random.random(random.integers(4, 150)) < random.uniform(0.2, 0.8)) == ""


@RANDOM
@given(random=SEEDS, here=st.floats(1, 400), lost=st.floats(1, 400))
def test_random_bursts_give_no_guess(random, here, lost):
    """As Gilbert's model makes them: each state is left with a probability of its own."""
    stays = np.stack((random.geometric(1 / here, 200), random.geometric(1 / lost, 200)), axis=1).ravel()
    if lost < 4 / 3 and here < 4 / 3:
        return  # nearly every second packet is lost: that is a pattern
    assert loss(np.repeat(np.arange(400) % 2 == 0, stays)) == ""


# duplicates


def block(numbers) -> str:
    """The guess about a capture with these numbers and nothing else."""
    one = Seen()
    one.add(np.array(numbers, np.uint32), lambda places: places + 1)
    first = [Again(found.number, numbers.index(found.number) + 1, found.frame) for found in one.first]
    return repeated_block(one.again(), one.repeated, first)


def test_a_ring_that_is_read_again():
    once = [*range(2_000), *range(1_488, 2_000), *range(2_000, 3_000)]
    said = "a block of 512 consecutive packets came again, 512 frames later"
    assert block(once) == f"{said}: a ring was read again?"
    twice = [*once, *range(2_488, 3_000), *range(3_000, 4_000)]
    assert block(twice) == f"{said} (2 times): a ring was read again?"
    assert block([*range(2_000), *range(100, 115)]) == ""
    assert block([*range(2_000), *range(100, 116)]).startswith("a block of 16 ")


def test_each_packet_twice():
    numbers = [one // 2 for one in range(100)]
    assert block(numbers).startswith("50 consecutive packets came twice, one right behind the other")
    assert block(numbers[:30]) == ""


def test_three_times_is_no_block():
    assert block([*range(100), *range(100), *range(100)]) == ""


def test_a_block_backwards_is_no_block():
    assert block([*range(100), *range(99, 49, -1)]) == ""


def test_a_repeated_block_in_a_message(tmp_path):
    frames = map(ixy_frame, [*range(100), *range(68, 100), *range(100, 120)])
    (said,) = guesses(tmp_path, "duplicates", frames)
    assert said.startswith("cause? a block of 32 consecutive packets came again, 32 frames later")


@RANDOM
@given(random=SEEDS, share=st.floats(0.001, 1), count=st.integers(1, 3_000), far=st.integers(3, 4_000))
def test_random_repetition_gives_no_guess(random, share, count, far):
    again = np.flatnonzero(random.random(count) < share)
    places = np.concatenate((np.arange(count), again + random.integers(1, far, again.size) + 0.5))
    numbers = np.concatenate((np.arange(count), again))
    assert block(numbers[np.argsort(places, kind="stable")].tolist()) == ""


# sequence-bounds


def test_swapped_numbers(tmp_path):
    turned = [int.from_bytes(number.to_bytes(4, "little"), "big") for number in range(1, 6)]
    assert swapped_number(turned, 4, 0, 200).startswith("the number's bytes are swapped")
    assert swapped_number(turned[:4], 4, 0, 200) == ""
    assert swapped_number([*turned, 77_777], 4, 0, 200) == ""
    assert swapped_number(turned, 4, 6, 200) == ""
    assert swapped_number(turned, 4, 0, 2**29) == ""  # most numbers are within such bounds
    frames = [ixy_frame(number << 24) for number in range(100)]
    (said,) = guesses(tmp_path, "sequence-bounds", frames)
    assert said.startswith("cause? the number's bytes are swapped")


def test_how_unlikely_swapped_numbers_must_be():
    turned = [number << 24 for number in range(1, 7)]
    assert swapped_number(turned, 4, 0, 2**28 - 1) != ""  # six times four bits are free by chance: 24
    assert swapped_number(turned[:5], 4, 0, 2**28 - 1) == ""


def test_one_swapped_number_is_too_few(tmp_path):
    assert guesses(tmp_path, "sequence-bounds", map(ixy_frame, [*range(99), 99 << 24])) == []


def test_numbers_that_rise_too_fast(tmp_path):
    ring = "the number rises by 512 from packet to packet: the size of a ring or batch?"
    assert jumping_number(range(0, 512 * 17, 512)) == ring
    assert jumping_number(range(0, 512 * 8, 512)) == ""
    assert jumping_number(range(0, 300, 3)) == "the number rises by 3 from packet to packet"
    assert jumping_number(range(0, 3 * 16, 3)) == ""
    assert jumping_number(range(100)) == ""
    (said,) = guesses(tmp_path, "sequence-bounds", map(ixy_frame, range(0, 51_200, 512)))
    assert said == f"cause? {ring}"


def test_numbers_that_jump(tmp_path):
    numbers = [place + place // 10 * 511 for place in range(100)]
    words = "the number jumps by 512 again and again: the size of a ring or batch?"
    assert jumping_number(numbers) == words
    assert jumping_number(numbers[:80]) == ""
    (said,) = guesses(tmp_path, "sequence-bounds", map(ixy_frame, numbers), packets=50)
    assert said == f"cause? {words}"


@RANDOM
@given(random=SEEDS, share=st.floats(0.3, 0.999), high=st.integers(1, 2**26))
def test_random_numbers_give_no_guess(random, share, high):
    lossy = np.flatnonzero(random.random(5_000) >= share).tolist()
    assert jumping_number(lossy) == ""
    wild = random.integers(high + 1, 2**32, 200).tolist()
    assert (jumping_number(wild), swapped_number(wild, 4, 0, high)) == ("", "")


# size and structure


def test_shifted_bytes(tmp_path):
    frame = ixy_frame(7)
    moved = [frame[:42] + b"\0\0" + frame[42:58]] * 3
    (said,) = guesses(tmp_path, "structure", [*moved, *map(ixy_frame, range(9))])
    assert said == (
        "cause? the payload starts 2 bytes later than it should in all packets looked at: "
        "are its bytes shifted?"
    )
    earlier = [frame[:41] + frame[42:] + b"\0"] * 3
    (said,) = guesses(tmp_path / "b", "structure", earlier)
    assert "1 byte earlier" in said
    assert guesses(tmp_path / "c", "structure", moved[:2]) == []
    assert guesses(tmp_path / "d", "structure", [*moved, earlier[0]]) == []
    assert guesses(tmp_path / "e", "structure", [ixy_frame(1, udp_length=27)] * 5) == []


def test_shifted_behind_a_tag(tmp_path):
    frame = ixy_frame(7)
    tagged = frame[:12] + b"\x81\0\0\x05" + frame[12:42] + b"\0" + frame[42:59]
    (said,) = guesses(tmp_path, "structure", [tagged] * 3)
    assert "1 byte later" in said


def test_short_magic_says_nothing_of_shifts():
    assert shifted_bytes([(b"\0\0ab", 0)] * 3, b"ab") == ""
    assert shifted_bytes([(b"\0\0abc", 0)] * 3, b"abc") != ""


@RANDOM
@given(random=SEEDS, count=st.integers(1, 5))
def test_random_bytes_give_no_guess(random, count):
    frames = [random.bytes(64) for _ in range(count)]
    assert shifted_bytes([(frame, 42) for frame in frames], b"ixy") == ""
    assert check_sequence(frames, 60) == ""


def test_the_check_sequence_left_on(tmp_path):
    frames = [ixy_frame(number) for number in range(4)]
    left_on = [frame + zlib.crc32(frame).to_bytes(4, "little") for frame in frames]
    (said,) = guesses(tmp_path, "size", [*left_on, arp_frame()])
    assert said.startswith("cause? the last four bytes are the frame check sequence")
    assert guesses(tmp_path / "b", "size", [ixy_frame(1, size=64)]) == []
    assert guesses(tmp_path / "c", "size", [*left_on, frames[0] + b"\0"]) == []
    assert check_sequence([], 60) == ""


@pytest.mark.parametrize(
    ("fewest", "pattern"),
    [(16, {"distance": (50, 15)}), (8, {"lengths": ((4, 8),)}), (8, {"classes": ((64, 0, 8),)})],
)
def test_how_many_bursts_show_a_pattern(fewest, pattern):
    assert regular_loss(Bursts(total=4 * fewest, count=fewest, **pattern)) != ""
    assert regular_loss(Bursts(total=4 * fewest, count=fewest - 1, **pattern)) == ""


def test_nearly_all_is_nine_of_ten():
    assert [nearly_all(some, 10) for some in (8, 9, 10)] == [False, True, True]


def test_no_guess_about_nothing():
    assert regular_loss(Bursts()) == ""
    assert repeated_block(Bursts(), 0, []) == ""
    assert (jumping_number([]), swapped_number([], 4, 0, 9), shifted_bytes([], b"ixy")) == ("", "", "")
