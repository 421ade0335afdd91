"""How `speechkd serve` bears a crowd: `python tools/load_server.py --clients 64 --seconds 20`.

Starts a server of its own on a free port of 127.0.0.1 and sends it requests from that many clients. They come within
the first second; each asks again as soon as it is answered, also when it was refused. One request in twenty is broken
off, one in twenty is no request at all. A process of its own asks for /health meanwhile. Nothing but this machine is
ever asked.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"
SPEECHKD = "import sys; from speechkd.cli.main import main; sys.exit(main())"
MOST_SECONDS, MOST_CLIENTS = 3_600, 1_000
WARM_UP_SHARE = 0.5  # of the time, before the memory is looked at first
HEALTH_TARGET_S, GROWTH_TARGET_MB = 0.1, 50.0
START_WITHIN_S = 1.0
PING_EVERY_S = 0.02
ANSWER_TIMEOUT_S = 90.0
SENTENCES = (
    "Yes.",
    "The birch canoe slid on the smooth planks.",
    "It was the 3rd of May 1999, and nobody had asked for 12 volunteers; Dr. Miller came, though.",
)


@dataclass
class Tally:
    """What the clients met: answers by status ("gone": broken off by the client, "lost": by the server)."""

    answers: Counter[str] = field(default_factory=Counter)
    speech_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """What came out of a run."""

    answers: Counter[str]
    speech_s: float
    wait_s: float | None
    health_s: list[float]
    rss_mb: tuple[float, float]
    seconds: float
    exit_code: int


@contextmanager
def server(options: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running server and its port."""
    call = [sys.executable, "-c", SPEECHKD, "serve", "--host", HOST, "--port", "0", *options]
    with subprocess.Popen(call, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(rf"http://{re.escape(HOST)}:(\d+)/", line)
            if found is None:
                raise SystemExit(f"the server did not start: {line}")
            yield process, int(found[1])
        finally:
            process.kill()


def ping(port: int, seconds: float) -> list[float]:
    """The seconds that /health takes, asked now and then over one connection after the other."""
    times_s = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        connection = http.client.HTTPConnection(HOST, port, timeout=10)
        connection.request("GET", "/health")
        answered = connection.getresponse().status == 200
        connection.close()
        times_s.append(time.perf_counter() - begin if answered else float("inf"))
        time.sleep(PING_EVERY_S)
    return times_s


async def client(number: int, port: int, end: float, tally: Tally) -> None:
    """One client, until the time is up."""
    chance = random.Random(number)
    await asyncio.sleep(chance.random() * START_WITHIN_S)
    while time.monotonic() < end:
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                met, speech_s = await ask(port, request(chance), leaves=chance.random() < 0.05)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            met, speech_s = "lost", 0.0
        tally.answers[met] += 1
        if speech_s:
            tally.speech_s += speech_s
            tally.waits_s.append(time.perf_counter() - begin)


def request(chance: random.Random) -> bytes:
    """The bytes of some request, one in twenty of them hostile."""
    text = " ".join(chance.choice(SENTENCES) for _ in range(chance.randint(1, 4)))
    fields = {"text": text, "format": "pcm", "stream": chance.random() < 0.5, "speed": chance.choice((0.8, 1.0, 1.25))}
    body = json.dumps(fields).encode()
    if chance.random() < 0.05:
        body = chance.choice((b"{", b"\xff" * 1_000, b'{"text": "a", "voice": "../../etc/passwd"}', b"[" * 50_000))
    head = f"POST /synthesize HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def ask(port: int, data: bytes, *, leaves: bool) -> tuple[str, float]:
    """The status of an answer and the seconds of speech in it. One who leaves does so a little later."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(data)
        if leaves:
            await asyncio.sleep(0.1)
            return "gone", 0.0
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        body = await reader.read(-1)
        status = head.split()[1]
        rate = re.search(r"x-sample-rate: (\d+)", head)
        chunked = "transfer-encoding: chunked" in head
        if chunked and not body.endswith(b"0\r\n\r\n"):
            return "lost", 0.0
        return status, len(body) / 2 / int(rate[1]) if rate and status == "200" else 0.0
    finally:
        writer.transport.abort()


def rss_mb(process: subprocess.Popen[str]) -> float:
    """Memory that a process has in use, in MB of 10^6 bytes."""
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) * 1024 / 1e6


async def crowd(process: subprocess.Popen[str], port: int, clients: int, seconds: float) -> tuple[Tally, float]:
    """Let the clients loose; also returns the server's memory after the warm-up."""
    tally = Tally()
    end = time.monotonic() + seconds
    tasks = [asyncio.create_task(client(number, port, end, tally)) for number in range(clients)]
    await asyncio.sleep(seconds * WARM_UP_SHARE)
    warm_mb = rss_mb(process)
    await asyncio.gather(*tasks)
    return tally, warm_mb


def measure(clients: int, seconds: float, options: Sequence[str]) -> Figures:
    """Start a server, crowd it, stop it."""
    spawn = multiprocessing.get_context("spawn")
    with server(options) as (process, port), ProcessPoolExecutor(1, spawn) as pinging:
        pinging.submit(ping, port, 0.1).result()  # its start is over before the time runs
        health = pinging.submit(ping, port, seconds)
        begin = time.monotonic()
        tally, warm_mb = asyncio.run(crowd(process, port, clients, seconds))
        took_s = time.monotonic() - begin
        memory = (warm_mb, rss_mb(process))
        times_s = health.result()
        process.terminate()
        code = process.wait(30)
    wait_s = statistics.median(tally.waits_s) if tally.waits_s else None
    return Figures(tally.answers, tally.speech_s, wait_s, times_s, memory, took_s, code)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def table(figures: Figures) -> tuple[str, bool]:
    """The figures as lines, with what was aimed at; and whether all of that was reached."""
    growth_mb = figures.rss_mb[1] - figures.rss_mb[0]
    failed = sum(n for met, n in figures.answers.items() if met == "lost" or (met.startswith("5") and met != "503"))
    p99_s = percentile(figures.health_s, 0.99)
    wait = "none" if figures.wait_s is None else f"{figures.wait_s:.2f} s"
    rows = [
        ("answers by status", ", ".join(f"{met}: {n}" for met, n in sorted(figures.answers.items())), "", None),
        ("failed: 5xx but 503, or broken off", str(failed), "0", failed == 0),
        ("/health, median", f"{1e3 * percentile(figures.health_s, 0.5):.1f} ms", "", None),
        ("/health, 99 %", f"{1e3 * p99_s:.1f} ms", f"< {1e3 * HEALTH_TARGET_S:.0f} ms", p99_s < HEALTH_TARGET_S),
        ("memory after warm-up", f"{figures.rss_mb[0]:.0f} MB", "", None),
        (
            "memory at the end",
            f"{figures.rss_mb[1]:.0f} MB",
            f"+ < {GROWTH_TARGET_MB:.0f} MB",
            growth_mb < GROWTH_TARGET_MB,
        ),
        ("spoken request, median wait", wait, "", None),
        ("speech per second", f"{figures.speech_s / figures.seconds:.1f} s", "> 0", figures.speech_s > 0),
        ("exit code after SIGTERM", str(figures.exit_code), "0", figures.exit_code == 0),
    ]
    verdicts = {None: "", True: "reached", False: "missed"}
    lines = [f"{name:<36} {value:<44} {target:<10} {verdicts[met]}".rstrip() for name, value, target, met in rows]
    return "\n".join(lines), all(met is not False for *_, met in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: 0 when every target was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64, choices=range(1, MOST_CLIENTS + 1), metavar="N")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("options", nargs="*", help="options of speechkd serve, behind --")
    given = parser.parse_args(arguments)
    if not 1.0 <= given.seconds <= MOST_SECONDS:
        parser.error(f"--seconds goes from 1 to {MOST_SECONDS}")
    shown, reached = table(measure(given.clients, given.seconds, given.options))
    print(shown)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
