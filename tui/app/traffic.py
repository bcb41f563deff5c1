"""What the node sent and received since it started, as the circuit pane sums it up. Headless."""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, maybe_real, record, records, whole
from tui.app.text import percent, plural
from tui.sizes import data_size


@dataclass(frozen=True, slots=True, repr=False)
class ClassSum:
    """All circuits of one traffic shape, the closed ones included."""

    name: str
    circuits: int
    bytes_up: int
    bytes_down: int
    padding_share: float | None

    @classmethod
    def of(cls, source: Json) -> ClassSum:
        return cls(
            name=line(source, "shape"),
            circuits=whole(source, "circuits"),
            bytes_up=whole(source, "bytes_up"),
            bytes_down=whole(source, "bytes_down"),
            padding_share=maybe_real(source, "padding_share"),
        )

    @property
    def words(self) -> str:
        """One line of the pane."""
        share = "" if self.padding_share is None else f"  {percent(self.padding_share)} dummies"
        sizes = f"▲ {data_size(self.bytes_up):>7}  ▼ {data_size(self.bytes_down):>7}"
        return f"{self.name:<9}  {self.circuits:>2} open  {sizes}{share}"


@dataclass(frozen=True, slots=True, repr=False)
class LinkSum:
    """All links to guards together."""

    links: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    padding: int = 0

    @classmethod
    def of(cls, source: Json) -> LinkSum:
        return cls(
            links=whole(source, "links"),
            bytes_out=whole(source, "bytes_out"),
            bytes_in=whole(source, "bytes_in"),
            padding=whole(source, "padding_out") + whole(source, "padding_in"),
        )

    @property
    def words(self) -> str:
        """One line of the pane."""
        sizes = f"▲ {data_size(self.bytes_out):>7}  ▼ {data_size(self.bytes_in):>7}"
        return f"{'links':<9}  {self.links:>2} open  {sizes}  {plural(self.padding, 'idle cell')}"


@dataclass(frozen=True, slots=True, repr=False)
class CoverSum:
    """Talks that nobody has, and the most they may cost an hour."""

    talks: int
    bytes_spent: int
    bytes_per_hour: int

    @classmethod
    def of(cls, source: Json) -> CoverSum | None:
        """None when they are off."""
        if source.get("enabled") is not True:
            return None
        figures = (whole(source, name) for name in ("talks", "bytes_spent", "bytes_per_hour"))
        return cls(*figures)

    @property
    def words(self) -> str:
        """One line of the pane."""
        limit = data_size(self.bytes_per_hour)
        spent = f"{data_size(self.bytes_spent)} of at most {limit} an hour"
        return f"{'cover':<9}  {plural(self.talks, 'talk')} that nobody had  {spent}"


@dataclass(frozen=True, slots=True, repr=False)
class TrafficSum:
    """Sums by shape, and over the links."""

    classes: tuple[ClassSum, ...] = ()
    links: LinkSum | None = None
    cover: CoverSum | None = None

    @classmethod
    def of(cls, value: object) -> TrafficSum:
        source = record(value)
        links = source.get("links")
        return cls(
            classes=tuple(ClassSum.of(item) for item in records(source.get("classes"))),
            links=None if links is None else LinkSum.of(record(links)),
            cover=CoverSum.of(record(source.get("cover"))),
        )

    @property
    def lines(self) -> list[str]:
        """The lines of the pane."""
        sums = [*self.classes, self.links, self.cover]
        return [one.words for one in sums if one is not None]
