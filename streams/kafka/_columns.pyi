from collections.abc import Iterator, Mapping, Sequence
from typing import overload

class ColumnRecord:
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[()]

class KeyFilter:
    full: bool
    def __init__(self, keys: int) -> None: ...
    def add(self, key: bytes) -> None: ...
    def __contains__(self, key: bytes) -> bool: ...

class Columns(Sequence[ColumnRecord]):
    def add(
        self,
        payload: bytes,
        base_offset: int,
        next_offset: int,
        count: int,
        appended: bool,
        first_timestamp: int,
        max_timestamp: int,
    ) -> bool: ...
    def sift(self, floors: Mapping[str, int], tracked: KeyFilter) -> list[ColumnRecord]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[ColumnRecord]: ...
    @overload
    def __getitem__(self, index: int) -> ColumnRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Columns: ...
