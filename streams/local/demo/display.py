"""Shows the running demo: the funnel by platform, the last events, the workers, the clock.

On a terminal the picture is redrawn in place; elsewhere plain lines are printed.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.enums import ADVERSE_EVENTS, Event, Mode
from streams.local.demo.expect import as_told, collapse
from streams.local.demo.script import Story
from streams.local.demo.standing import Standing, standing
from streams.local.demo.tally import Seen, Tally, Worker

FRAMES_PER_SECOND = 6
PLAIN_EVERY_SECONDS = 5.0
MIN_EVENT_ROWS = 6
FIXED_ROWS = 18
WIDE_COLUMNS, ROOMY_COLUMNS = 110, 130
FUNNEL: Sequence[tuple[str, str, Event]] = (
    ("invited", "inv.", Event.INVITATION_ISSUED),
    ("delivered", "deliv.", Event.INVITATION_DELIVERED),
    ("undeliverable", "undel.", Event.INVITATION_UNDELIVERABLE),
    ("granted", "grant.", Event.CONSENT_GRANTED),
    ("declined", "decl.", Event.CONSENT_DECLINED),
    ("expired", "exp.", Event.INVITATION_EXPIRED),
    ("restricted", "restr.", Event.THROTTLE_APPLIED),
    ("lifted", "lift.", Event.THROTTLE_LIFTED),
)
"""The columns of the funnel: title, title on a narrow terminal, and the event that is counted."""
GOOD, BAD, DIM = "green", "red", "bright_black"
STYLES = {
    Standing.AGREED: GOOD,
    Standing.NOTIFIED: "cyan",
    Standing.INVITED: "yellow",
    Standing.NOT_REACHED: "magenta",
    Standing.RESTRICTED: BAD,
    Standing.OVER: DIM,
}


def colour(event: str) -> str:
    """Returns the colour of an event type: red for restrictions, yellow for other adverse ones."""
    if event in (Event.THROTTLE_APPLIED, Event.THROTTLE_RENEWED):
        return BAD
    if event in ADVERSE_EVENTS:
        return "yellow"
    if event in (Event.CONSENT_GRANTED, Event.THROTTLE_LIFTED):
        return GOOD
    return "cyan"


@dataclass
class Display:
    """Shows a running day. `modes`: by platform. `seconds`: the expected duration of the day."""

    console: Console
    tally: Tally
    stories: Mapping[str, Story]
    modes: Mapping[str, str]
    workers: Sequence[Worker]
    seconds: float
    seed: int
    _live: Live | None = field(default=None, init=False)
    _printed: float = field(default=0.0, init=False)
    _finished: set[str] = field(default_factory=set, init=False)

    def open(self) -> None:
        """Starts drawing, if the output is a terminal."""
        if self.console.is_terminal:
            self._live = Live(
                console=self.console, auto_refresh=False, transient=True, screen=False
            )
            self._live.start()

    def close(self) -> None:
        """Stops drawing, and removes the picture."""
        if self._live is not None:
            self._live.stop()

    def show(self, now: float) -> None:
        """Draws the picture at `now` seconds of the day; without a terminal, prints what is new."""
        if self._live is not None:
            self._live.update(self.picture(now), refresh=True)
            return
        for key in self.told():
            if key not in self._finished:
                self._finished.add(key)
                story = self.stories[key]
                if story.named and (story.live or story.shadow):
                    steps = " → ".join(token.split(":")[0] for token in self._tokens(key))
                    self.console.print(
                        f"{now:5.1f} s  {story.platform:<12}{story.name}: {steps}", soft_wrap=True
                    )
        if now - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = now
            self.console.print(self._line(now), soft_wrap=True)

    def told(self) -> set[str]:
        """Returns the keys of accounts with all events of their storyline."""
        return {
            key
            for key, story in self.stories.items()
            if as_told(story.live, self.tally.tokens(key, Mode.ENFORCE))
            and as_told(story.shadow, self.tally.tokens(key, Mode.SHADOW))
        }

    def picture(self, now: float) -> RenderableType:
        """Returns the whole picture at `now` seconds of the day."""
        rows = max(MIN_EVENT_ROWS, self.console.height - FIXED_ROWS)
        return Group(
            self._header(now), self._funnel(), Text(), self._events(rows), Text(), self._footer()
        )

    def _header(self, now: float) -> RenderableType:
        head = Table.grid(expand=True, padding=(0, 1))
        head.add_column()
        head.add_column(ratio=1)
        head.add_column(justify="right")
        done = f"{len(self.told())} of {len(self.stories)} storylines as told"
        if self.console.width < WIDE_COLUMNS:
            done = f"{len(self.told())}/{len(self.stories)}"
        head.add_row(
            Text.assemble(("Byline", "bold"), (f" · a day in seconds, seed {self.seed}", DIM)),
            ProgressBar(
                total=self.seconds,
                completed=min(now, self.seconds),
                complete_style="cyan",
                finished_style=GOOD,
            ),
            Text.assemble((f"{now:4.1f} s", "bold"), (f"  {done}", DIM)),
        )
        return Padding(head, (0, 1, 1, 1))

    def _funnel(self) -> Table:
        table = Table(box=None, expand=True, padding=(0, 1), header_style=DIM)
        table.add_column("platform", no_wrap=True)
        wide = self.console.width >= WIDE_COLUMNS
        table.add_column("accounts" if wide else "seen", justify="right")
        for title, short, _ in FUNNEL:
            table.add_column(title if wide else short, justify="right", no_wrap=True)
        roomy = self.console.width >= ROOMY_COLUMNS
        if roomy:
            table.add_column("where they stand", no_wrap=True)
        for platform, mode in self.modes.items():
            name = Text.assemble((platform, "bold"))
            if mode == Mode.SHADOW:
                name.append(" shadow", style=DIM)
            cells = [number(len(self.tally.accounts[platform]), DIM)]
            for _, _, event in FUNNEL:
                reached = len(self.tally.reached[platform, event.value])
                cells.append(number(reached, colour(event.value)))
            if roomy:
                cells.append(self._standing(platform, Mode(mode)))
            table.add_row(name, *cells)
        return table

    def _standing(self, platform: str, mode: Mode) -> Text:
        """Returns a coloured block for each account with events, by its present state."""
        keys = [key for key, story in self.stories.items() if story.platform == platform]
        lives = [self.tally.tokens(key, mode) for key in keys]
        stands = sorted(standing(tokens) for tokens in lives if tokens)
        return Text.assemble(*(("■", STYLES[stand]) for stand in stands))

    def _events(self, rows: int) -> Table:
        """Returns the last events of the named storylines, without those of the crowd."""
        wide = self.console.width >= WIDE_COLUMNS
        table = Table.grid(expand=True, padding=(0, 1))
        for width in (7, 11, 10, 41)[: 4 if wide else 3]:
            table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        told = [item for item in self.tally.last if item[2] is not None and item[2].named][:rows]
        for at, seen, story in told:
            cells = _event_cells(at, seen, story)
            table.add_row(*(cells if wide else cells[:4]))
        for _ in range(rows - len(told)):
            table.add_row("")
        return table

    def _footer(self) -> Table:
        table = Table.grid(expand=True, padding=(0, 1))
        sent = sum(self.tally.sent.values())
        refused = sum(self.tally.dead_letters.values())
        line = Text(" ")
        for worker in self.workers:
            light = "●" if worker.ready else "○"
            line.append(f"{light} ", style=GOOD if worker.ready else "yellow")
            lag = "" if worker.lag is None else f" lag {worker.lag}"
            owned = ",".join(map(str, worker.partitions)) or "none"
            line.append(f"{worker.name} partitions {owned}{lag}   ", style=DIM)
        line.append(f"{sent:,} inputs", style="bold")
        line.append(f" · {self.tally.duplicates} sent twice · ", style=DIM)
        line.append(f"{sum(self.tally.events.values()):,} events", style="bold")
        line.append(f" · {refused} dead letters", style=DIM)
        if self.tally.delays:
            middle = 1000 * statistics.median(self.tally.delays)
            line.append(f" · read {middle:.0f} ms after the decision", style=DIM)
        table.add_row(line)
        return table

    def _line(self, now: float) -> str:
        sent, events = sum(self.tally.sent.values()), sum(self.tally.events.values())
        ready = sum(worker.ready for worker in self.workers)
        return (
            f"{now:5.1f} s  {sent:,} inputs, {events:,} events, "
            f"{sum(self.tally.dead_letters.values())} dead letters, "
            f"{len(self.told())} of {len(self.stories)} storylines as told, {ready} workers ready"
        )

    def _tokens(self, key: str) -> list[str]:
        live = self.tally.tokens(key, Mode.ENFORCE)
        return list(collapse(live or self.tally.tokens(key, Mode.SHADOW)))


def number(count: int, style: str) -> Text:
    """Formats a count; 0 becomes a dot."""
    return Text(f"{count:,}", style=style) if count else Text("·", style=DIM)


def _event_cells(at: float, seen: Seen, story: Story | None) -> tuple[Text, ...]:
    shadow = seen.mode == Mode.SHADOW
    style = DIM if shadow else colour(seen.event)
    surface = seen.value.get("surface")
    what = f"{seen.event} {seen.value.get('reason')}" + (f" {surface}" if surface else "")
    tells = "" if story is None else story.tells
    return (
        Text(f"{at:5.1f} s", style=DIM),
        Text(str(seen.value.get("platform"))),
        Text(str(seen.value.get("account_id")), style=DIM),
        Text(what, style=style),
        Text(tells, style="italic" if not shadow else f"italic {DIM}"),
    )
