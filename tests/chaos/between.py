"""Proxies between the workers and the brokers of a run, in a thread of their own."""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tests.chaos.wire.faults import WireChance
from tests.chaos.wire.proxy import Proxy, Tls

SHARES = {
    "InitProducerId": 0.2,
    "AddPartitionsToTxn": 0.1,
    "AddOffsetsToTxn": 0.1,
    "TxnOffsetCommit": 0.1,
    "EndTxn": 0.1,
    "Produce": 0.1,
}
"""How many of the requests are touched while it strikes: some workers go on, some end."""
HOLD_SECONDS = 4.0


class Between:
    """Passes everything on, until `strike` says otherwise; `close` ends it.

    `ways`: of each broker the port that workers know, and the one that it listens on.
    """

    def __init__(self, host: str, ways: Sequence[tuple[int, int]], tls: Tls | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._proxies = [Proxy(known, behind, None, host, tls) for known, behind in ways]
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._run, name="between", daemon=True)
        self._thread.start()
        self._do(self._open())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        for proxy in self._proxies:
            await self._stack.enter_async_context(proxy)

    def strike(self, kind: str, seed: str) -> None:
        """From here on some requests of transactions are touched in this way."""
        chance = WireChance(seed, HOLD_SECONDS, SHARES, kinds=(kind,))
        self._do(self._set(chance))

    def calm(self) -> None:
        """From here on everything passes; what is still kept back comes in its time."""
        self._do(self._set(None))

    async def _set(self, faults: WireChance | None) -> None:
        for proxy in self._proxies:
            proxy.faults = faults

    @property
    def touched(self) -> Counter[str]:
        """How many requests were touched, by `kind API`."""
        found: Counter[str] = Counter()
        for proxy in self._proxies:
            for api, kinds in proxy.touched.items():
                found.update({f"{kind} {api}": number for kind, number in kinds.items()})
        return +found

    @property
    def asked_again(self) -> list[str]:
        """Coordinator's requests sent again under an epoch in which one got no answer."""
        return [one for proxy in self._proxies for one in proxy.asked_again]

    def close(self) -> None:
        """Break what is left and end the thread."""
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
