#!/usr/bin/env python3
"""Packs a root file system as an image archive of OCI (image-spec 1.1): the same bytes for the same files.

    scripts/oci_archive.py ROOT ARCHIVE [--tag cirrus:0.1.0] [--compression gzip]

One layer, by zstd, which containerd 1.5, CRI-O, Podman and Docker 23 and newer unpack; gzip, for what is older, is a
quarter larger. What is in cloudzero/data belongs to nobody, all else to root; times are 0. `docker load` (25 and
newer), `podman load` and `skopeo copy oci-archive:ARCHIVE` take it.
"""

import argparse
import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path

NOBODY = 65534
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIGURATION = {
    "User": str(NOBODY),
    "ExposedPorts": {"8080/tcp": {}, "8081/tcp": {}},
    "Entrypoint": ["/cloudzero/app"],
    "Cmd": ["-config", "/cloudzero/config/config.yml"],
    "WorkingDir": "/",
}


def encode(value: dict) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def layer(root: Path) -> bytes:
    """Its entries in the order of their names, so that a directory comes before what it holds."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            entry = archive.gettarinfo(path, name)
            entry.mtime, entry.uname, entry.gname = 0, "", ""
            entry.uid = entry.gid = NOBODY if name == "cloudzero/data" or name.startswith("cloudzero/data/") else 0
            if entry.isfile():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return out.getvalue()


def compress(content: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(content, compresslevel=9, mtime=0)
    # One thread: the bytes do not depend on the machine.
    command = ["zstd", "--ultra", "-22", "--single-thread", "--no-progress", "-c"]
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout


def image(root: Path, tag: str, compression: str) -> dict[str, bytes]:
    """The files of the archive."""
    files = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"})}

    def blob(content: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        media = f"application/vnd.oci.image.{media_type}"
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}

    unpacked = layer(root)
    packed = blob(compress(unpacked, compression), f"layer.v1.tar+{compression}")
    configuration = {
        "architecture": ARCHITECTURE[platform.machine()],
        "os": "linux",
        "config": CONFIGURATION,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(encode(configuration), "config.v1+json"),
        "layers": [packed],
    }
    # The first name is OCI's, the tag alone; the second is what containerd and Docker take for the whole.
    names = {"org.opencontainers.image.ref.name": tag.rpartition(":")[2], "io.containerd.image.name": tag}
    descriptor = blob(encode(manifest), "manifest.v1+json") | {"annotations": names}
    files["index.json"] = encode({"schemaVersion": 2, "manifests": [descriptor]})
    return files


def main():
    parser = argparse.ArgumentParser(description="Packs a root file system as an OCI image archive.")
    parser.add_argument("root", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--tag", default="cirrus:0.1.0")
    parser.add_argument("--compression", choices=["zstd", "gzip"], default="zstd")
    arguments = parser.parse_args()
    with tarfile.open(arguments.archive, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(image(arguments.root, arguments.tag, arguments.compression).items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    print(f"{arguments.archive}: {arguments.archive.stat().st_size / 1e6:.1f} MB compressed")


if __name__ == "__main__":
    main()
