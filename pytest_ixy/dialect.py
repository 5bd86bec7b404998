"""Dialects: what a target's packets look like, and what its forwarder changes in them.

Every program of the ixy family sends a slightly different packet. A dialect is that difference as data.
The shipped ones are TOML files in `dialects/`, of the same form as `[dialect]` in an `ixy-ci.toml`.
"""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from pytest_ixy import tomlfile
from pytest_ixy.errors import UsageError

DEFAULT = "ixy-ci"
FOLDER = Path(__file__).parent / "dialects"

Template = tuple[int | None, ...]
"""One item for each byte of a frame: its value, or None where any will do."""

ANY = "??"
LONGEST = 1514
UDP_AT = 34
"""Behind Ethernet (14 bytes) and IPv4 without options (20)."""
PAYLOAD_AT = UDP_AT + 8
FIXED = {12: 0x08, 13: 0x00, 14: 0x45, 23: 17}
"""What every packet of the family is: UDP over IPv4 without options."""

Order = Literal["little", "big"]
Width = Literal[1, 2, 4, 8]


def _parse(text: str) -> Template:
    """A template from its text: hexadecimal bytes, and `??` where any will do."""
    parts = text.split()
    if not PAYLOAD_AT <= len(parts) <= LONGEST:
        raise ValueError(f"should have {PAYLOAD_AT} to {LONGEST:,} bytes, not {len(parts):,}")
    wrong = next((part for part in parts if part != ANY and not _is_byte(part)), None)
    if wrong is not None:
        raise ValueError(f"should be bytes such as '0a', or '??', not {wrong[:20]!r}")
    return tuple(None if part == ANY else int(part, 16) for part in parts)


def _is_byte(part: str) -> bool:
    return len(part) == 2 and all(letter in "0123456789abcdefABCDEF" for letter in part)  # noqa: PLR2004


def _frame(text: str) -> str:
    found = _parse(text)
    if any(found[at] not in {value, None} for at, value in FIXED.items()):
        raise ValueError("should be UDP over IPv4 without options (08 00 at 12, 45 at 14, 11 at 23)")
    if None in found[UDP_AT + 4 : UDP_AT + 6]:
        raise ValueError("should tell the UDP length (bytes 38 and 39)")
    return text


def _bytes(text: str) -> str:
    parts = text.split()
    if not parts or not all(_is_byte(part) for part in parts):
        raise ValueError("should be bytes such as '01 00'")
    return text


class Number(tomlfile.Table):
    """Where the sequence number stands.

    Attributes:
        at: Offset in the frame; in frames with VLAN tags or IP options it moves along with UDP's header.
        width: Bytes.
        order: Which of them comes first.
        first: The number of the first packet.
    """

    at: Annotated[int, Field(ge=0)]
    width: Width = 4
    order: Order = "little"
    first: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @property
    def places(self) -> range:
        """Its bytes' offsets in the frame."""
        return range(self.at, self.at + self.width)

    @property
    def dtype(self) -> str:
        """The same for numpy."""
        return ("<" if self.order == "little" else ">") + f"u{self.width}"


class Touch(tomlfile.Table):
    """What the forwarder does to each packet: `add` to a number of `width` bytes, or `set` some bytes."""

    at: Annotated[int, Field(ge=0)]
    width: Width = 1
    order: Order = "little"
    add: int | None = None
    set: Annotated[str, AfterValidator(_bytes)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Touch:
        if (self.add is None) == (self.set is None):
            raise ValueError("should have either 'add' or 'set'")
        return self

    @property
    def places(self) -> range:
        """The bytes that it may change, as offsets in the frame."""
        return range(self.at, self.at + (self.width if self.set is None else len(self.set.split())))

    def applied(self, template: Template) -> Template:
        """The template behind the forwarder; bytes that may be anything still may, unless they are set."""
        if self.set is not None:
            new: Template = tuple(bytes.fromhex(self.set))
        elif None in (old := template[self.at : self.at + self.width]):
            new = old
        else:
            value = int.from_bytes(bytes(byte or 0 for byte in old), self.order) + (self.add or 0)
            new = tuple((value % 256**self.width).to_bytes(self.width, self.order))
        return template[: self.at] + new + template[self.at + len(new) :]

    @property
    def words(self) -> str:
        """Such as `byte 1 += 1` or `bytes 0-3 := 01 00 00 00`."""
        last = self.places[-1]
        where = f"byte {self.at}" if last == self.at else f"bytes {self.at}-{last}"
        return f"{where} := {self.set}" if self.set is not None else f"{where} += {self.add}"


class Dialect(tomlfile.Table):
    """What a target's packets look like.

    A table with the `name` of a shipped dialect and without a template is that one, with the other
    keys in place of its own.

    Attributes:
        name: Of the dialect.
        summary: What is special about it.
        source: Where that was read.
        magic: Text that the UDP payload starts with.
        template: The frame as pktgen sends it, without the frame check sequence; `??` may be anything.
        number: The sequence number; None when packets have none.
        touched: What fwd changes, in this order.
    """

    name: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "own"
    summary: str = ""
    source: str = ""
    magic: Annotated[str, Field(max_length=64, pattern=r"^[ -~]*$")] = ""
    template: Annotated[str, Field(max_length=6_000), AfterValidator(_frame)]
    number: Number | None = None
    touched: Annotated[tuple[Touch, ...], Field(strict=False, max_length=32)] = ()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "template" in data or not isinstance(data.get("name"), str):
            return data
        if data["name"] not in names():
            near = tomlfile.nearest(data["name"], names())
            raise ValueError(f"there is no dialect {data['name'][:40]!r}{near}; a new one needs a 'template'")
        return {**_data(data["name"]), **data}

    @model_validator(mode="after")
    def _inside(self) -> Dialect:
        size, number = len(self.sent), self.number.places if self.number else range(0)
        if any(places.stop > size for places in [number, *(touch.places for touch in self.touched)]):
            raise ValueError(f"should have 'number' and 'touched' within the template's {size:,} bytes")
        if any(set(number) & set(touch.places) for touch in self.touched):
            raise ValueError("should not have the forwarder touch the sequence number")
        _frame(" ".join(ANY if byte is None else f"{byte:02x}" for byte in self.arriving))
        return self

    @cached_property
    def sent(self) -> Template:
        """The frame as pktgen sends it; the number may be anything."""
        found = list(_parse(self.template))
        for at in self.number.places if self.number else ():
            found[at : at + 1] = [None] if at < len(found) else []
        return tuple(found)

    @cached_property
    def arriving(self) -> Template:
        """The frame as fwd should pass it on."""
        found = self.sent
        for touch in self.touched:
            found = touch.applied(found)
        return found

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return len(self.sent)

    @property
    def first(self) -> int:
        """The number of the first packet."""
        return self.number.first if self.number else 0

    @property
    def udp_length(self) -> int:
        """What stands in UDP's length field."""
        high, low = self.arriving[UDP_AT + 4 : UDP_AT + 6]
        return (high or 0) << 8 | (low or 0)


class _Declared(BaseModel):
    """The one table of a target's file that is asked for; `spec.py` checks the rest."""

    dialect: Dialect


def names() -> list[str]:
    """The shipped dialects, the default first."""
    found = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return [DEFAULT, *(name for name in found if name != DEFAULT)]


@cache
def _data(name: str) -> dict[str, Any]:
    return {"name": name, **tomlfile.read(FOLDER / f"{name}.toml").data}


@cache
def shipped(name: str = DEFAULT) -> Dialect:
    """The dialect of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in names():
        raise UsageError(f"there is no dialect {name[:40]!r}{tomlfile.nearest(name, names())}")
    return Dialect.model_validate(_data(name))


def find(text: str, folder: Path = Path()) -> Dialect:
    """A dialect by its name, or from a TOML file: an `ixy-ci.toml`, or one with nothing but a dialect.

    Args:
        text: A name, or a path, which has a slash or ends with `.toml`.
        folder: Where a relative path starts.

    Raises:
        UsageError: there is none of that name; the file cannot be read or does not hold one.
    """
    if not (text.endswith(".toml") or "/" in text):
        return shipped(text)
    file = tomlfile.read(folder / Path(text).expanduser())
    if not file.data.keys() & {"dialect", "name", "template"}:
        raise UsageError(f"{file.name}: holds no dialect", hint="docs/dialects.md tells how to write one")
    return file.check(_Declared).dialect if "dialect" in file.data else file.check(Dialect)
