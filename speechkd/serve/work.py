"""A bounded queue in front of a few threads, and the way of what they make to those who wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from speechkd.serve.refusals import Refusal

Job = Callable[[], Iterator[bytes]]
_END = None


class Work:
    """Runs jobs in threads, `threads` at a time. All methods belong to the event loop's thread.

    A request takes a place before its job waits for a thread, and keeps it until its answer is sent. So neither texts
    that wait nor answers of clients that read slowly can pile up. Those who wait do so in the event loop, first come,
    first served; one who goes away leaves nothing behind.
    """

    def __init__(self, threads: int, places: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="speak")
        self._free = asyncio.Semaphore(threads)
        self._places = places
        self.taken = 0
        self.waiting = 0
        self.running = 0

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return self.taken >= self._places

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places, for as long as the block lasts. Refusal (503) when all are taken."""
        if self.full:
            raise queue_full()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, job: Job) -> AsyncGenerator[bytes, None]:
        """What the job yields, run by a thread as soon as one is free; empty pieces are left out.

        Raises what the job raises. When the iterator is closed the job stops after the piece that it is making.
        """
        await self._thread()
        loop = asyncio.get_running_loop()
        made: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        stop = threading.Event()
        done = loop.run_in_executor(self._pool, _produce, job, stop, lambda piece: _hand_over(loop, made, piece))
        done.add_done_callback(self._thread_is_free)
        try:
            while (piece := await made.get()) is not _END:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            stop.set()

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _thread(self) -> None:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1

    def _thread_is_free(self, done: asyncio.Future[None]) -> None:
        self.running -= 1
        self._free.release()


def queue_full() -> Refusal:
    """The answer to one request too many."""
    return Refusal(
        503, "queue_full", "too many requests wait to be spoken: try again later", headers={"retry-after": "1"}
    )


def _hand_over(loop: asyncio.AbstractEventLoop, made: asyncio.Queue[bytes | Exception | None],
               piece: bytes | Exception | None) -> None:  # fmt: skip
    try:
        loop.call_soon_threadsafe(made.put_nowait, piece)
    except RuntimeError:
        return  # the loop is closed: the server has been told to stop, and nobody waits


def _produce(job: Job, stop: threading.Event, hand_over: Callable[[bytes | Exception | None], None]) -> None:
    """In a worker thread: the job, piece by piece, until it ends or nobody waits for it."""
    try:
        pieces = job()
        while not stop.is_set() and (piece := next(pieces, _END)) is not _END:
            if piece:
                hand_over(piece)
        hand_over(_END)
    except Exception as error:
        hand_over(error)
