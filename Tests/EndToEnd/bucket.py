"""A bucket that does not lose what it received: `czctl mock`, outside of the volume under test."""

from pathlib import Path

from processes import Program, czctl_path, free_port

API_KEY = "ak-test-canary"


class Bucket:
    def __init__(self, home: Path, programs: list[Program]):
        """Adds its process to `programs`."""
        self.folder = home / "bucket"
        self.key = home / "bucket-key"
        self.key.write_text(API_KEY)
        self.port = free_port()
        arguments = ["--address", "127.0.0.1", "--port", self.port, "--data", self.folder, "--api-key", API_KEY]
        self.program = Program([czctl_path(), "mock", *arguments], home / "bucket.log")
        programs.append(self.program)

    def wait_ready(self):
        self.program.wait_ready(f"http://127.0.0.1:{self.port}/v1/container-metrics/mock/state")

    @property
    def settings(self) -> dict:
        """Of an installation that sends its files here."""
        upload = {"api_key_path": str(self.key), "host": f"127.0.0.1:{self.port}", "use_http": True}
        return {"destination": {"kind": "cloudzero"}, "cloudzero": upload | {"http_max_wait": "1s"}}
