"""A relay to the embedded exchange that adds market data of its own, so that clients hear so many messages a second.

Run as a process of its own (`python -m hip3.bench.flood PORT RATE`). The exchange's frames pass as they come; between
them its last touches and contexts are said again, the touches with a newer time, in turns over all markets. Making five
thousand messages a second costs an exchange more than a core; saying them again does not.
"""

import asyncio
import contextlib
import re
import struct
import sys

from hip3.clock import SystemClock

CLOCK, BEAT_NS = SystemClock(), 20_000_000
_TIME = re.compile(rb'"time":\d+')
_COIN = re.compile(rb'"coin":"([^"]+)"')
_HEADS = (b'{"channel":"bbo"', b'{"channel":"activeAssetCtx"')
_TEXT = 0x81


def frame(payload: bytes) -> bytes:
    """A text frame as a server sends it."""
    size = len(payload)
    head = bytes((_TEXT, size)) if size < 126 else struct.pack("!BBH", _TEXT, 126, size)
    return head + payload


class Flood:
    """One client's connection. `per_beat`: messages that are added each `BEAT_NS`."""

    def __init__(self, per_beat: int) -> None:
        self._per_beat = per_beat
        self._last: dict[tuple[bytes, bytes], bytes] = {}
        """(kind, market) -> what was said last."""
        self._turn = 0

    async def up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """What the client says."""
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """What the exchange says, and what is added."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            sink.write(await source.readuntil(b"\r\n\r\n"))
            adding = asyncio.create_task(self._add(sink))
            try:
                while True:
                    sink.write(await self._whole(source))
                    await sink.drain()
            finally:
                adding.cancel()
        sink.close()

    async def _whole(self, source: asyncio.StreamReader) -> bytes:
        """The next frame of the exchange, which masks none and cuts none in pieces."""
        head = await source.readexactly(2)
        size, more = head[1] & 0x7F, b""
        if size >= 126:
            more = await source.readexactly(2 if size == 126 else 8)
            size = int.from_bytes(more, "big")
        payload = await source.readexactly(size)
        for kind in _HEADS:
            if payload.startswith(kind) and (coin := _COIN.search(payload)):
                self._last[kind, coin[1]] = payload
        return head + more + payload

    async def _add(self, sink: asyncio.StreamWriter) -> None:
        due = CLOCK.mono_ns()
        while True:
            due += BEAT_NS
            await asyncio.sleep(max(0, due - CLOCK.mono_ns()) / 1e9)
            said = list(self._last.values())
            now = b'"time":%d' % CLOCK.wall_ms()
            for _ in range(self._per_beat if said else 0):
                self._turn += 1
                payload = said[self._turn % len(said)]
                sink.write(frame(_TIME.sub(now, payload, count=1) if payload.startswith(_HEADS[0]) else payload))
            await sink.drain()


async def relay(port: int, rate: int) -> None:
    """Serve until standard input ends."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection("127.0.0.1", port)
        flood = Flood(rate * BEAT_NS // 10**9)
        await asyncio.gather(flood.up(reader, there), flood.down(back, writer))

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2])))
