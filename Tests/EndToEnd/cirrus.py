"""One installation of Cirrus in a temporary directory: its configuration, its processes, its commands."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import requests
import yaml

from processes import Program, clean_environment, czctl_path, free_port

COMMAND_SECONDS = 180


class Cirrus:
    printed: list[str] = []  # by commands and services, in this test

    def __init__(self, home: Path, **overrides):
        """`overrides` are configuration keys as maps: `destination={"kind": "cloudzero"}`."""
        self.home = home
        self.data = home / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.shipper_port = free_port()
        self.config = home / "config.yml"
        keys = {
            "cluster_name": "end-to-end",
            "cloud_account_id": "123456789",
            "region": "us-east-1",
            "server": {
                "address": "127.0.0.1",
                "port": self.port,
                "shipper_port": self.shipper_port,
                "reconnect_frequency": 0,
            },
            "database": {"storage_path": str(self.data), "cost_max_interval": "2s"},
            "cloudzero": {"send_interval": "1s"},
            "wal": {"segment_age": "1s"},
            "destination": {"kind": "directory", "path": str(home / "lake")},
        }
        # How full this machine's disk happens to be is not to decide what is purged; a test's own volume does.
        if shutil.disk_usage(home).total > 10e9:
            keys["database"]["available_storage"] = "1Ti"
        for key, value in overrides.items():
            merge = isinstance(value, dict) and key != "destination"
            keys[key] = keys.get(key, {}) | value if merge else value
        if "destinations" in keys:
            del keys["destination"]
        self.destination = Path(keys.get("destination", {}).get("path", home / "lake"))
        self.config.write_text(yaml.safe_dump(keys, sort_keys=False))
        self.programs: list[Program] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def write_url(self) -> str:
        return self.url + "/api/v1/write"

    def spawn(self, role: str = "run", env: dict[str, str] | None = None, under: Sequence[str] = ()) -> Program:
        """Starts a process and does not wait for it; `under` is a command that starts it, such as strace's."""
        program = Program([*under, czctl_path(), role, "--config", self.config], self.home / f"{role}.log", env)
        self.programs.append(program)
        return program

    def start(self, role: str = "run", env: dict[str, str] | None = None, under: Sequence[str] = ()) -> Program:
        program = self.spawn(role, env, under)
        port = self.shipper_port if role == "shipper" else self.port
        program.wait_ready(f"http://127.0.0.1:{port}/{'healthz' if role == 'shipper' else 'readyz'}")
        return program

    def command(
        self, *arguments, under: Sequence[str] = (), env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        """Runs to its end; `under` as with `spawn`."""
        result = subprocess.run(
            [*under, czctl_path(), *map(str, arguments)],
            capture_output=True, text=True, timeout=COMMAND_SECONDS, env=clean_environment() | (env or {}),
        )  # fmt: skip
        Cirrus.printed += [result.stdout, result.stderr]
        return result

    def status(self) -> dict:
        result = self.command("status", "--config", self.config, "-o", "json")
        assert result.returncode in (0, 3), result.stderr
        return json.loads(result.stdout)

    def drain(self):
        """Everything accepted is in the destination afterwards."""
        result = self.command("drain", "--config", self.config, "--timeout", "120")
        logs = "\n".join(program.tail() for program in self.programs[-2:])
        assert result.returncode == 0, f"drain: {result.returncode}\n{result.stdout}\n{result.stderr}\n{logs}"

    def _keep_pages(self):
        """What the services that still run show to whoever asks."""
        for port in (self.port, self.shipper_port):
            for path in ("metrics", "api/v1/status", "about"):
                try:
                    Cirrus.printed.append(requests.get(f"http://127.0.0.1:{port}/{path}", timeout=2).text)
                except requests.RequestException:
                    break

    def kill(self):
        if any(program.running for program in self.programs):
            self._keep_pages()
        for program in self.programs:
            if program.running:
                program.kill()
