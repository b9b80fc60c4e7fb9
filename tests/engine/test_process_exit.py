"""A process ends, whoever reads its last words."""

import subprocess
import sys


def test_last_words_that_nobody_reads_do_not_keep_a_process_alive() -> None:
    """The pipe is full and nobody reads it: the process ends all the same."""
    program = (
        "from streams.engine import process_exit; process_exit.LAST_WORDS_SECONDS = 1.0\n"
        "process_exit.end_process('x' * 10_000_000, code=70)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    assert process.wait(20) == 70
