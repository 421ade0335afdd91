"""What can be asked of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from speechkd.audio.formats import FORMATS, Format
from speechkd.serve import answers
from speechkd.serve.answers import Answer
from speechkd.serve.bodies import OpenAiSpeech, Synthesis
from speechkd.serve.limits import Limits
from speechkd.serve.metrics import MEDIA_TYPE, Metrics
from speechkd.serve.page_files import Page
from speechkd.serve.refusals import Refusal
from speechkd.serve.sent import Sent
from speechkd.serve.speaking import Task, limited, speak
from speechkd.serve.voices import VoiceTable
from speechkd.serve.work import Job, Work
from speechkd.synthesis.controls import CONTROL_NAMES, Controls

#: Programs written for OpenAI's service send these; all mean the voices here.
MODELS = ("speechkd", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")


class Service:
    """The routes' work: a checked body in, an answer out."""

    def __init__(self, voices: VoiceTable, limits: Limits, work: Work, metrics: Metrics) -> None:
        self.voices = voices
        self.limits = limits
        self.work = work
        self.metrics = metrics

    async def openai_speech(self, body: OpenAiSpeech) -> Response:
        """`POST /v1/audio/speech`."""
        if body.model not in MODELS:
            raise Refusal(404, "model_not_found", f"the models here are: {', '.join(MODELS)}", "model")
        if body.instructions:
            raise Refusal(
                422, "no_instructions", "the voices here follow no instructions: leave them out", "instructions"
            )
        fmt = _find_format(body.response_format, "response_format")
        voice = self.voices.find(body.voice_name)
        self._check_length(body.input, "input")
        answer = _openai_answer(body, fmt, voice.sample_rate)
        return await self._spoken(Task(voice, body.input, Controls(speed=body.speed)), answer, fmt)

    async def synthesis(self, body: Synthesis) -> Response:
        """`POST /synthesize`."""
        if (body.text is None) == (body.ssml is None):
            raise Refusal(422, "text_or_ssml", "give a text, or an SSML document", "text")
        name, said = ("text", body.text or "") if body.ssml is None else ("ssml", body.ssml)
        self._check_length(said, name)
        fmt = _find_format(body.format, "format")
        voice = self.voices.find(body.voice)
        controls = Controls(**{control: getattr(body, control) for control in CONTROL_NAMES})
        task = Task(voice, said, controls, body.changes(), ssml=body.ssml is not None)
        return await self._spoken(task, _own_answer(body, fmt, voice.sample_rate), fmt)

    def _check_length(self, text: str, param: str) -> None:
        if len(text) > self.limits.text_chars:
            why = f"a text may have {self.limits.text_chars} characters, this one has {len(text)}"
            raise Refusal(422, "text_too_long", why, param)

    async def _spoken(self, task: Task, answer: Answer, fmt: Format) -> Response:
        """The answer, once its first bytes are there: until then it can still become an error."""
        pieces = self.work.run(self._job(task, answer))
        try:
            first = await anext(pieces, b"")
        except BaseException:
            await pieces.aclose()
            raise
        headers = {"content-type": answer.media_type, "x-sample-rate": str(fmt.rate(task.voice.sample_rate))}
        if not answer.streamed:
            headers["content-length"] = str(len(first))
        return Sent(first, pieces, headers)

    def _job(self, task: Task, answer: Answer) -> Job:
        return lambda: answer.make(limited(self.metrics.metered(speak(task)), self.limits.audio_s))


def _find_format(name: str, param: str) -> Format:
    if name not in FORMATS:
        raise Refusal(400, "unsupported_format", f"this server writes {', '.join(FORMATS)}", param)
    return FORMATS[name]


def _openai_answer(body: OpenAiSpeech, fmt: Format, sample_rate: int) -> Answer:
    if body.stream_format == "sse":
        return answers.server_sent_events(fmt, sample_rate)
    if fmt.whole and body.stream_format is None:
        return answers.whole_audio(fmt)
    return answers.streamed_audio(fmt, sample_rate)


def _own_answer(body: Synthesis, fmt: Format, sample_rate: int) -> Answer:
    if body.timestamps:
        return answers.streamed_json(fmt, sample_rate) if body.stream else answers.whole_json(fmt)
    return answers.streamed_audio(fmt, sample_rate) if body.stream else answers.whole_audio(fmt)


def make_router(service: Service, page: Page) -> APIRouter:
    """All routes. Those that do not speak answer from what is at hand, in the event loop's own thread."""
    router = APIRouter()
    router.add_api_route("/v1/audio/speech", service.openai_speech, methods=["POST"], response_class=Response)
    router.add_api_route("/synthesize", service.synthesis, methods=["POST"], response_class=Response)
    voices = {"object": "list", "data": service.voices.described()}
    models = {"object": "list", "data": [_model(name) for name in MODELS]}

    @router.get("/v1/voices")
    async def list_voices() -> dict[str, Any]:
        return voices

    @router.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return models

    @router.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.page(), headers={"content-type": MEDIA_TYPE})

    for route in page.routes:
        router.add_api_route(route, _page_route(page, route), methods=["GET"], include_in_schema=False)
    return router


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "speechkd"}


def _page_route(page: Page, route: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return page.answer(route)

    return answer
