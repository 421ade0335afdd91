"""What the server counts, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from speechkd.serve.work import Work
from speechkd.synthesis.speech import Speech

MEDIA_TYPE = CONTENT_TYPE_LATEST
_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)


class Metrics:
    """The figures of one server. Safe to change from any thread."""

    def __init__(self, work: Work) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "speechkd_requests", "Answered requests (499: the client went away).", ("route", "code"),
            registry=self._registry,
        )  # fmt: skip
        self.rejected = Counter(
            "speechkd_rejected", "Requests refused since the queue was full.", registry=self._registry
        )
        self.in_flight = Gauge("speechkd_in_flight", "Requests that are being answered.", registry=self._registry)
        self._audio_s = Counter("speechkd_audio_seconds", "Seconds of speech made.", registry=self._registry)
        self._factor = Histogram(
            "speechkd_real_time_factor", "Seconds of work for a second of speech, by request.",
            buckets=_FACTORS, registry=self._registry,
        )  # fmt: skip
        self._gauge("speechkd_queue_length", "Requests that wait for a thread.", lambda: work.waiting)
        self._gauge("speechkd_speaking", "Requests that are being spoken.", lambda: work.running)

    def _gauge(self, name: str, help_text: str, read: object) -> None:
        Gauge(name, help_text, registry=self._registry).set_function(read)  # type: ignore[arg-type]

    def metered(self, pieces: Iterator[Speech]) -> Iterator[Speech]:
        """The pieces themselves; what they took and how long they are is counted."""
        audio_s = work_s = 0.0
        try:
            while True:
                begin = time.perf_counter()
                piece = next(pieces, None)
                work_s += time.perf_counter() - begin
                if piece is None:
                    return
                audio_s += piece.duration_s
                self._audio_s.inc(piece.duration_s)
                yield piece
        finally:
            if audio_s:
                self._factor.observe(work_s / audio_s)

    def page(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)
