"""The systems that the claims are about."""

from __future__ import annotations

SYSTEMS = ("teacher", "student", "direct", "generator", "gradient", "fastspeech2", "joined", "second")
#: Those of the preliminary study: one network for each form, and a long chain.
FORMS = ("gradient", "generator")
#: Those of one speaker whose mels are compared.
COMPARED = ("teacher", "student", "direct", "generator", "gradient", "fastspeech2")
#: Those with a loss of their own to compare: the student's is beside its teacher, the others' beside recordings.
LEARNING = ("teacher", "student", "direct")
#: Those that say the same sentence anew with other noise.
VARIED = ("teacher", "student", "direct")
RECORDINGS = "recordings"
#: The student again, going on after a step as the paper's code does.
RELEASED = "released sampler"
#: Systems that are timed, each with what its last part is called.
LAST_PART = {
    "teacher": "teacher's denoiser",
    "student": "student's denoiser",
    "fastspeech2": "fastspeech2's decoder",
}
