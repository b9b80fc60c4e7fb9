"""Partitions are worlds of their own: each is judged in a process of its own."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

from tests.chaos.book import Book

T = TypeVar("T")


def each_partition(book: Book, work: Callable[[Book, int], T]) -> list[T]:
    """`work` for every partition number, by fork: the book is shared, not copied.

    Raises RuntimeError with the child's traceback.
    """
    pipes = []
    for partition in range(book.partitions):
        source, sink = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(source)
            try:
                told = pickle.dumps((work(book, partition), ""))
            except BaseException:
                told = pickle.dumps((None, traceback.format_exc()))
            with os.fdopen(sink, "wb") as stream:
                stream.write(told)
            os._exit(0)
        os.close(sink)
        pipes.append((pid, source))
    found = []
    for pid, source in pipes:
        with os.fdopen(source, "rb") as stream:
            told = stream.read()
        os.waitpid(pid, 0)
        result, error = pickle.loads(told) if told else (None, "the child said nothing")
        if error:
            raise RuntimeError(error)
        found.append(result)
    return found
