"""Shows the running demo: the funnel by platform, the last events, the workers, the clock.

On a terminal the picture is redrawn in place; elsewhere plain lines are printed.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.enums import ADVERSE_EVENTS, Event, Mode
from streams.local.demo.day import PlannedDay
from streams.local.demo.script import Storyline
from streams.local.demo.stage import DemoWorker
from streams.local.demo.tally import DemoTally, SeenEvent, collapse

DAY_SECONDS = 28.0
"""The expected duration of a day, for the progress bar."""
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
STANDS = {
    "granted": (0, GOOD),
    "delivered": (1, "cyan"),
    "issued": (2, "yellow"),
    "undeliverable": (3, "magenta"),
    "applied": (4, BAD),
    **dict.fromkeys(("lifted", "cancelled", "withdrawn", "voided"), (5, DIM)),
}
"""By event, the state that the screen shows afterwards: position and colour."""


def colour(event: str) -> str:
    """Returns the colour of an event type: red for restrictions, yellow for other adverse ones."""
    if event in (Event.CONSENT_GRANTED, Event.THROTTLE_LIFTED):
        return GOOD
    restricts = event in (Event.THROTTLE_APPLIED, Event.THROTTLE_RENEWED)
    return BAD if restricts else "yellow" if event in ADVERSE_EVENTS else "cyan"


@dataclass
class Display:
    """Shows a running day."""

    console: Console
    tally: DemoTally
    day: PlannedDay
    workers: Sequence[DemoWorker]
    _live: Live | None = field(default=None, init=False)
    _printed: float = field(default=0.0, init=False)
    _finished: set[str] = field(default_factory=set, init=False)

    def __enter__(self) -> None:
        """Starts drawing, if the output is a terminal."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()

    def __exit__(self, *_: object) -> None:
        """Stops drawing, and removes the picture."""
        if self._live is not None:
            self._live.stop()

    def show(self, now: float) -> None:
        """Draws the picture at `now` seconds of the day; without a terminal, prints what is new."""
        if self._live is not None:
            self._live.update(self.picture(now), refresh=True)
            return
        for key in self.told() - self._finished:
            self._finished.add(key)
            story = self.day.stories[key]
            lives = (self.tally.tokens(key, mode) for mode in (Mode.ENFORCE, Mode.SHADOW))
            life = next(filter(None, lives), [])
            if story.named and life:
                steps = " → ".join(token.split(":")[0] for token in collapse(life))
                words = f"{now:5.1f} s  {story.platform:<12}{story.name}: {steps}"
                self.console.print(words, soft_wrap=True)
        if now - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = now
            self.console.print(self._line(now), soft_wrap=True)

    def told(self) -> set[str]:
        """Returns the keys of accounts with all events of their storyline."""
        stories = self.day.stories.items()
        return {key for key, story in stories if not any(self.tally.departures(story))}

    def picture(self, now: float) -> RenderableType:
        """Returns the whole picture at `now` seconds of the day."""
        events = self._events(max(MIN_EVENT_ROWS, self.console.height - FIXED_ROWS))
        return Group(self._header(now), self._funnel(), Text(), events, Text(), self._footer())

    def _header(self, now: float) -> RenderableType:
        head = Table.grid(expand=True, padding=(0, 1))
        head.add_column()
        head.add_column(ratio=1)
        head.add_column(justify="right")
        done, of = len(self.told()), len(self.day.stories)
        wide = self.console.width >= WIDE_COLUMNS
        words = f"  {done} of {of} storylines as told" if wide else f"  {done}/{of}"
        bar = ProgressBar(
            DAY_SECONDS, min(now, DAY_SECONDS), complete_style="cyan", finished_style=GOOD
        )
        title = Text.assemble(
            ("Byline", "bold"), (f" · a day in seconds, seed {self.day.chance.seed}", DIM)
        )
        head.add_row(title, bar, Text.assemble((f"{now:4.1f} s", "bold"), (words, DIM)))
        return Padding(head, (0, 1, 1, 1))

    def _funnel(self) -> Table:
        wide, roomy = (self.console.width >= it for it in (WIDE_COLUMNS, ROOMY_COLUMNS))
        table = Table(box=None, expand=True, padding=(0, 1), header_style=DIM)
        table.add_column("platform", no_wrap=True)
        table.add_column("accounts" if wide else "seen", justify="right")
        for title, short, _ in FUNNEL:
            table.add_column(title if wide else short, justify="right", no_wrap=True)
        if roomy:
            table.add_column("where they stand", no_wrap=True)
        for platform, policy in self.day.policies.items():
            name = Text.assemble(
                (platform, "bold"), (" shadow" * (policy.mode == Mode.SHADOW), DIM)
            )
            cells = [number(len(self.tally.accounts[platform]), DIM)]
            for _, _, event in FUNNEL:
                reached = len(self.tally.reached[platform, event.value])
                cells.append(number(reached, colour(event.value)))
            if roomy:
                cells.append(self._standing(platform, Mode(policy.mode)))
            table.add_row(name, *cells)
        return table

    def _standing(self, platform: str, mode: Mode) -> Text:
        """Returns a coloured block for each account with events, by its present state."""
        keys = [key for key, story in self.day.stories.items() if story.platform == platform]
        lives = filter(None, (self.tally.tokens(key, mode) for key in keys))
        return Text.assemble(*(("■", style) for _, style in sorted(map(_stand, lives))))

    def _events(self, rows: int) -> Table:
        """Returns the last events of the named storylines, without those of the crowd."""
        count = 5 if self.console.width >= WIDE_COLUMNS else 4
        table = Table.grid(expand=True, padding=(0, 1))
        for width in (7, 11, 10, 41)[: count - 1]:
            table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        named = [(at, seen, story) for at, seen, story in self.tally.last if story and story.named]
        for at, seen, story in named[:rows]:
            table.add_row(*_event_cells(at, seen, story)[:count])
        for _ in range(rows - len(named)):
            table.add_row("")
        return table

    def _footer(self) -> Table:
        table, line = Table.grid(expand=True, padding=(0, 1)), Text(" ")
        for worker in self.workers:
            light, style = ("● ", GOOD) if worker.ready else ("○ ", "yellow")
            lag = "" if worker.lag is None else f" lag {worker.lag}"
            owned = ",".join(map(str, worker.partitions)) or "none"
            line.append(light, style=style)
            line.append(f"{worker.name} partitions {owned}{lag}   ", style=DIM)
        line.append(f"{sum(self.tally.sent.values()):,} inputs", style="bold")
        line.append(f" · {self.tally.duplicates} sent twice · ", style=DIM)
        line.append(f"{self.tally.events:,} events", style="bold")
        line.append(f" · {self.tally.dead_letters} dead letters", style=DIM)
        if self.tally.delays:
            middle = 1000 * statistics.median(self.tally.delays)
            line.append(f" · read {middle:.0f} ms after the decision", style=DIM)
        table.add_row(line)
        return table

    def _line(self, now: float) -> str:
        told, ready = len(self.told()), sum(worker.ready for worker in self.workers)
        return (
            f"{now:5.1f} s  {sum(self.tally.sent.values()):,} inputs, {self.tally.events:,} events,"
            f" {self.tally.dead_letters} dead letters, {told} of {len(self.day.stories)}"
            f" storylines as told, {ready} workers ready"
        )


def _stand(tokens: Sequence[str]) -> tuple[int, str]:
    """Returns the state that the screen shows after these events; a lift does not end a consent."""
    now = STANDS["issued"]
    for word in (token.split(":")[0] for token in tokens):
        if word != "lifted" or now != STANDS["granted"]:
            now = STANDS.get(word, now)
    return now


def number(count: int, style: str) -> Text:
    """Formats a count; 0 becomes a dot."""
    return Text(f"{count:,}", style=style) if count else Text("·", style=DIM)


def _event_cells(at: float, seen: SeenEvent, story: Storyline) -> tuple[Text, ...]:
    shadow, surface = seen.mode == Mode.SHADOW, seen.value.get("surface")
    what = f"{seen.event} {seen.value.get('reason')}" + (f" {surface}" if surface else "")
    return (
        Text(f"{at:5.1f} s", style=DIM),
        Text(str(seen.value.get("platform"))),
        Text(str(seen.value.get("account_id")), style=DIM),
        Text(what, style=DIM if shadow else colour(seen.event)),
        Text(story.tells, style=f"italic {DIM}" if shadow else "italic"),
    )
