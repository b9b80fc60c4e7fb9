# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Readings of many Kafka batches as columns; columns.py says what for.

Everything here gives the same result as the pure code (batches.py, streams/core/inputs), or says
that it cannot tell; tests/kafka holds the two to each other.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

import os

cdef uint64_t _SEED = int.from_bytes(os.urandom(8), "little")

cdef int64_t _FARTHEST = 1 << 52
cdef int64_t _MOST_FOLLOWERS = 10_000_000_000

cdef struct Place:
    int64_t offset
    int64_t timestamp
    uint64_t mark
    int64_t followers       # -1: not a plain reading
    uint32_t payload
    int32_t key
    int32_t value
    int32_t value_size      # -1: null
    int16_t key_size        # -1: null
    uint8_t platform        # where it begins in the value
    uint8_t platform_size
    uint8_t appended


cdef inline uint64_t _mark(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Hashes a key to 64 bits; never to 0, which is an empty slot in `sift`."""
    cdef uint64_t found = _SEED ^ <uint64_t>size * <uint64_t>0x9E3779B97F4A7C15
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, at, 8)
        found = (found ^ word) * <uint64_t>0xD6E8FEB86659FD93
        found ^= found >> 32
        at += 8
        size -= 8
    if size:
        word = 0
        memcpy(&word, at, size)
        found = (found ^ word) * <uint64_t>0xD6E8FEB86659FD93
        found ^= found >> 32
    found *= <uint64_t>0xD6E8FEB86659FD93
    return found ^ (found >> 29) | 1


cdef inline bint _varint(const uint8_t** at, const uint8_t* end, int64_t* found) noexcept nogil:
    """Decodes a zigzag varint of up to 63 bits; False: it is longer, or the bytes end."""
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while shift < 63:
        if at[0] >= end:
            return False
        byte = at[0][0]
        at[0] += 1
        value |= <uint64_t>(byte & 0x7F) << shift
        if not byte & 0x80:
            found[0] = <int64_t>(value >> 1) ^ -<int64_t>(value & 1)
            return True
        shift += 7
    return False


cdef inline bint _text(const uint8_t** at, const uint8_t* end, const char* text, int size) noexcept nogil:
    """Passes over a text, if the bytes go on with it."""
    if end - at[0] < size or memcmp(at[0], text, size) != 0:
        return False
    at[0] += size
    return True


cdef inline bint _name(const uint8_t** at, const uint8_t* end, const char* text, int size) noexcept nogil:
    """Passes over a name with its colon, and one blank behind it."""
    if not _text(at, end, text, size):
        return False
    if at[0] < end and at[0][0] == 32:
        at[0] += 1
    return True


cdef inline bint _comma(const uint8_t** at, const uint8_t* end) noexcept nogil:
    if at[0] >= end or at[0][0] != 44:
        return False
    at[0] += 1
    if at[0] < end and at[0][0] == 32:
        at[0] += 1
    return True


cdef inline int _quoted(const uint8_t** at, const uint8_t* end) noexcept nogil:
    """Passes over a text in quotation marks; returns its size, -1 if it is not plain ASCII."""
    cdef const uint8_t* begin
    if at[0] >= end or at[0][0] != 34:
        return -1
    at[0] += 1
    begin = at[0]
    while at[0] < end:
        if at[0][0] == 34:
            at[0] += 1
            return <int>(at[0] - begin - 1)
        if at[0][0] < 32 or at[0][0] > 126 or at[0][0] == 92:
            return -1
        at[0] += 1
    return -1


cdef inline int _digits(const uint8_t* at, int count) noexcept nogil:
    """Returns the number that so many digits make, -1 if one is none."""
    cdef int found = 0
    cdef int place
    for place in range(count):
        if at[place] < 48 or at[place] > 57:
            return -1
        found = found * 10 + at[place] - 48
    return found


cdef inline bint _time(const uint8_t* at, int size) noexcept nogil:
    """Whether a text is a time that every decoder takes: of the years 2 to 9998, with an offset."""
    cdef int year, month, day, hour, minute, second, most, end
    if size < 20 or at[4] != 45 or at[7] != 45 or at[10] != 84 or at[13] != 58 or at[16] != 58:
        return False
    year, month, day = _digits(at, 4), _digits(at + 5, 2), _digits(at + 8, 2)
    hour, minute, second = _digits(at + 11, 2), _digits(at + 14, 2), _digits(at + 17, 2)
    if year < 2 or year > 9998 or month < 1 or month > 12 or day < 1:
        return False
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return False
    most = 31
    if month == 2:
        most = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        most = 30
    if day > most:
        return False
    end = 19
    if at[end] == 46:
        end += 1
        while end < size and 48 <= at[end] <= 57:
            end += 1
        if end == 20 or end > 29:
            return False
    if size == end + 1:
        return at[end] == 90
    if size != end + 6 or (at[end] != 43 and at[end] != 45) or at[end + 3] != 58:
        return False
    hour, minute = _digits(at + end + 1, 2), _digits(at + end + 4, 2)
    return 0 <= hour <= 14 and 0 <= minute <= 59


cdef inline void _reading(const uint8_t* value, int size, Place* place) noexcept nogil:
    """Notes count and platform, if the value is a reading in the plainest form."""
    cdef const uint8_t* at = value
    cdef const uint8_t* end = value + size
    cdef const uint8_t* begin
    cdef int found
    cdef int64_t count = 0
    place.followers = -1
    if size > 512 or not _text(&at, end, b"{", 1) or not _name(&at, end, b'"platform":', 11):
        return
    place.platform = <uint8_t>(at - value + 1)
    found = _quoted(&at, end)
    if found < 0 or found > 255 or not _comma(&at, end):
        return
    place.platform_size = <uint8_t>found
    if not _name(&at, end, b'"account_id":', 13) or _quoted(&at, end) < 0 or not _comma(&at, end):
        return
    if not _name(&at, end, b'"followers":', 12):
        return
    begin = at
    while at < end and 48 <= at[0] <= 57 and at - begin < 11:
        count = count * 10 + at[0] - 48
        at += 1
    if at == begin or (at - begin > 1 and begin[0] == 48) or count > _MOST_FOLLOWERS:
        return
    if not _comma(&at, end) or not _name(&at, end, b'"observed_at":', 14):
        return
    begin = at
    found = _quoted(&at, end)
    if found < 0 or not _time(begin + 1, found) or at + 1 != end or at[0] != 125:
        return
    place.followers = count


cdef class ColumnRecord:
    """A record that was taken out of columns. It has the fields of the engine's `Record`."""

    cdef readonly int64_t offset
    cdef readonly int64_t timestamp
    cdef readonly int timestamp_type
    cdef readonly bytes key
    cdef readonly bytes value

    @property
    def headers(self):
        """Always empty: nobody reads them."""
        return ()


cdef class KeyFilter:
    """A set of keys that takes two bytes a key, and may say of another key that it has it.

    Nothing is taken out. `full`: it has so many keys that a larger one should be made.
    """

    cdef uint64_t* _words
    cdef uint64_t _last
    cdef Py_ssize_t _count
    cdef Py_ssize_t _most

    def __cinit__(self, Py_ssize_t keys):
        cdef uint64_t words = 1024
        while words * 4 < <uint64_t>keys * 2:
            words *= 2
        self._words = <uint64_t*>calloc(words, 8)
        if self._words == NULL:
            raise MemoryError
        self._last = words - 1
        self._count, self._most = 0, words * 4

    def __dealloc__(self):
        free(self._words)

    cdef inline uint64_t _bits(self, uint64_t mark) noexcept nogil:
        return (
            <uint64_t>1 << (mark >> 1 & 63)
            | <uint64_t>1 << (mark >> 7 & 63)
            | <uint64_t>1 << (mark >> 13 & 63)
        )

    cdef inline bint _has(self, uint64_t mark) noexcept nogil:
        cdef uint64_t bits = self._bits(mark)
        return self._words[mark >> 19 & self._last] & bits == bits

    cpdef void add(self, bytes key):
        """Adds a key."""
        cdef uint64_t mark = _mark(<const uint8_t*>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        cdef uint64_t bits = self._bits(mark)
        cdef uint64_t* word = &self._words[mark >> 19 & self._last]
        if word[0] & bits != bits:
            word[0] |= bits
            self._count += 1

    def __contains__(self, bytes key):
        return self._has(_mark(<const uint8_t*>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)))

    @property
    def full(self):
        """Whether it has as many keys as it was made for, so that it is often wrong."""
        return self._count >= self._most


cdef class _Block:
    """The bytes of batches, and where each record is in them."""

    cdef Place* _places
    cdef Py_ssize_t _count
    cdef Py_ssize_t _room
    cdef list _payloads

    def __cinit__(self):
        self._places = NULL
        self._count = self._room = 0
        self._payloads = []

    def __dealloc__(self):
        free(self._places)


cdef class Columns:
    """The records of batches, from one index of a block to another. It is a sequence of records."""

    cdef _Block _block
    cdef Py_ssize_t _start
    cdef Py_ssize_t _stop

    def __cinit__(self):
        self._block = _Block()
        self._start = self._stop = 0

    def add(
        self,
        bytes payload,
        int64_t base_offset,
        int64_t next_offset,
        Py_ssize_t count,
        bint appended,
        int64_t first_timestamp,
        int64_t max_timestamp,
    ):
        """Takes the records of a batch; False: it is not taken, and the pure code must read it."""
        cdef _Block block = self._block
        cdef Place* places
        cdef Py_ssize_t room
        if count < 0 or count > PyBytes_GET_SIZE(payload) or PyBytes_GET_SIZE(payload) > 0x7FFFFFFF:
            return False
        if block._count + count > block._room:
            room = max(block._count + count, 2 * block._room)
            places = <Place*>realloc(block._places, room * sizeof(Place))
            if places == NULL:
                raise MemoryError
            block._places, block._room = places, room
        cdef const uint8_t* begin = <const uint8_t*>PyBytes_AS_STRING(payload)
        cdef const uint8_t* end = begin + PyBytes_GET_SIZE(payload)
        cdef Place* place = block._places + block._count
        cdef uint32_t number = len(block._payloads)
        cdef bint good
        with nogil:
            good = _walk(begin, end, place, count, base_offset, next_offset)
        if not good:
            return False
        cdef Py_ssize_t index
        for index in range(count):
            place[index].payload = number
            place[index].appended = appended
            place[index].timestamp = (
                max_timestamp if appended else first_timestamp + place[index].timestamp
            )
        block._payloads.append(payload)
        block._count += count
        self._stop = block._count
        return True

    def __len__(self):
        return self._stop - self._start

    cdef ColumnRecord _record(self, Py_ssize_t index):
        cdef Place* place = self._block._places + index
        cdef const char* begin = PyBytes_AS_STRING(<bytes>self._block._payloads[place.payload])
        cdef ColumnRecord found = ColumnRecord.__new__(ColumnRecord)
        found.offset, found.timestamp = place.offset, place.timestamp
        found.timestamp_type = place.appended
        found.key = (
            None if place.key_size < 0 else PyBytes_FromStringAndSize(begin + place.key, place.key_size)
        )
        found.value = (
            None
            if place.value_size < 0
            else PyBytes_FromStringAndSize(begin + place.value, place.value_size)
        )
        return found

    def __getitem__(self, index):
        cdef Py_ssize_t count = self._stop - self._start
        cdef Columns part
        if isinstance(index, slice):
            start, stop, step = index.indices(count)
            if step != 1:
                return [self._record(self._start + it) for it in range(start, stop, step)]
            part = Columns.__new__(Columns)
            part._block = self._block
            part._start = self._start + start
            part._stop = self._start + max(start, stop)
            return part
        at = index + count if index < 0 else index
        if not 0 <= at < count:
            raise IndexError(index)
        return self._record(self._start + at)

    def __iter__(self):
        cdef Py_ssize_t index
        for index in range(self._start, self._stop):
            yield self._record(index)

    def offset_at(self, Py_ssize_t index):
        """The offset of the record at an index."""
        return self._block._places[self._start + index].offset

    def sift(self, floors, KeyFilter tracked):
        """Returns the records without plain readings that would be dropped without a trace.

        Those are below the floor of a known platform, outside of the sample, and of a key that is
        not in `tracked` and of which no other record of these is returned. `floors`: by platform.
        """
        cdef Py_ssize_t count = self._stop - self._start, wanted = 0, index
        cdef Place* places = self._block._places + self._start
        cdef Place* place
        cdef uint8_t* keep = <uint8_t*>calloc(count + 1, 1)
        cdef const uint8_t* platform = NULL
        cdef int platform_size = -1
        cdef int64_t floor = -1
        cdef const uint8_t* text
        cdef uint64_t* marks = NULL
        cdef uint64_t last = 16, slot
        cdef list found
        if keep == NULL:
            raise MemoryError
        try:
            for index in range(count):
                place = places + index
                if place.followers < 0:
                    keep[index] = 1
                    wanted += 1
                    continue
                text = (
                    <const uint8_t*>PyBytes_AS_STRING(<bytes>self._block._payloads[place.payload])
                    + place.value
                    + place.platform
                )
                if place.platform_size != platform_size or memcmp(text, platform, platform_size) != 0:
                    platform, platform_size = text, place.platform_size
                    name = PyBytes_FromStringAndSize(<const char*>text, platform_size).decode("ascii")
                    floor = floors.get(name, -1)
                if (
                    place.followers >= floor
                    or place.offset & 1023 == place.offset >> 10 & 1023
                    or (place.key_size >= 0 and tracked._has(place.mark))
                ):
                    keep[index] = 1
                    wanted += 1
            if not wanted:
                return []
            while last < <uint64_t>wanted * 4:
                last *= 2
            marks = <uint64_t*>calloc(last, 8)
            if marks == NULL:
                raise MemoryError
            last -= 1
            for index in range(count):
                if keep[index]:
                    slot = places[index].mark & last
                    while marks[slot] and marks[slot] != places[index].mark:
                        slot = (slot + 1) & last
                    marks[slot] = places[index].mark
            found = []
            for index in range(count):
                if not keep[index]:
                    slot = places[index].mark & last
                    while marks[slot] and marks[slot] != places[index].mark:
                        slot = (slot + 1) & last
                    if not marks[slot]:
                        continue
                found.append(self._record(self._start + index))
            return found
        finally:
            free(keep)
            free(marks)


cdef bint _walk(
    const uint8_t* begin,
    const uint8_t* end,
    Place* place,
    Py_ssize_t count,
    int64_t base,
    int64_t next_offset,
) noexcept nogil:
    """Notes where the records of a payload are; False: it is not `count` records in order.

    `timestamp` is the difference from the batch's first one.
    """
    cdef const uint8_t* at = begin
    cdef const uint8_t* stop
    cdef int64_t length, delta, size, last = -1
    cdef Py_ssize_t index
    for index in range(count):
        if not _varint(&at, end, &length) or length < 1 or length > end - at:
            return False
        stop = at + length
        at += 1
        if not _varint(&at, stop, &place.timestamp) or not _varint(&at, stop, &delta):
            return False
        if place.timestamp > _FARTHEST or place.timestamp < -_FARTHEST:
            return False
        if delta <= last or delta >= next_offset - base:
            return False
        last = delta
        place.offset = base + delta
        if not _varint(&at, stop, &size) or size > stop - at or size > 0x7FFF:
            return False
        place.key = <int32_t>(at - begin)
        place.key_size = <int16_t>(size if size >= 0 else -1)
        place.mark = 1
        if size >= 0:
            place.mark = _mark(at, size)
            at += size
        if not _varint(&at, stop, &size) or size > stop - at:
            return False
        place.value = <int32_t>(at - begin)
        place.value_size = <int32_t>(size if size >= 0 else -1)
        place.followers = -1
        if size >= 0:
            _reading(at, <int>size, place)
        at = stop
        place += 1
    return at == end
