"""How a server is started: the content of `speechkd serve --config FILE`."""

from __future__ import annotations

import ipaddress

from pydantic import Field

from speechkd.config.model import Config
from speechkd.serve.limits import Limits

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Options(Config):
    """Where the server listens, with which voices it speaks, and its limits."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen at")
    port: int = Field(8000, ge=0, le=65_535, description="port; 0 takes a free one")
    voices: tuple[str, ...] = Field((), description="names or folders of the voices; of none, those of the package")
    hosts: tuple[str, ...] = Field((), description="further names by which clients call this server")
    limits: Limits = Limits()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def known_hosts(self) -> frozenset[str]:
        """The names that a request's Host header may have, in small letters."""
        return _HERE | {self.host.lower()} | {name.lower() for name in self.hosts}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
