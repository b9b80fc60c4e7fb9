"""`byline demo`: a scripted day on seven platforms, through a real Kafka and the shipped worker.

A *storyline* is the script of one account; a *day* is all of them, in about half a minute.

`script` the types of a storyline · `stories` the named storylines · `scenario`, `garbage` the whole
day as data · `policies` the policies with short durations · `actors` notifier, owners and operators
· `reading` consumers · `gather`, `checks`, `audited` the checks afterwards · `tally`, `display`,
`closing` the output · `stage` the processes · `perform` the whole run.
"""

from dataclasses import dataclass

DEFAULT_SEED = 2023


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the demo.

    `keep`: leave Kafka and the workers running. `seed`: of the pseudo-random day. `json`: print the
    summary as JSON.
    """

    keep: bool = False
    seed: int = DEFAULT_SEED
    json: bool = False


def run(options: Options) -> int:
    """Runs the demo. Returns the exit code.

    It is 0 if every check passes, 1 if one fails or the demo could not run, and 130 after Ctrl-C.
    All processes and files are removed in any case, unless `keep` is set.
    """
    from streams.local.demo.perform import play_demo

    return play_demo(options)
