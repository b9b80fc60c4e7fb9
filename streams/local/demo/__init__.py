"""`byline demo`: a scripted day on seven platforms, through a real Kafka and the shipped worker.

`script` the words · `stories` the named storylines · `scenario`, `garbage` the whole day as data ·
`policies` compressed time · `actors` notifier, owners, operators · `reading` consumers ·
`gather`, `checks`, `audited` what is proved afterwards · `tally`, `display`, `closing` what is
shown · `stage` the processes · `perform` the whole.
"""

from dataclasses import dataclass

DEFAULT_SEED = 2023


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask for.

    `keep`: leave Kafka and the workers running. `seed`: which day. `json`: the summary as JSON.
    """

    keep: bool = False
    seed: int = DEFAULT_SEED
    json: bool = False


def run(options: Options) -> int:
    """Play the day; 0 when every check holds, 1 when one does not or the demo could not be played.

    130 after Ctrl-C. Whatever happens, nothing stays behind unless `keep` asks for it.
    """
    from streams.local.demo.perform import play_demo

    return play_demo(options)
