"""Every kind of file in a bucket (moto), under both layouts: where each lies, and that nothing changed on the way."""

import re
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from parquet_rows import read_rows
from s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, Moto
from test_native import KINDS, check_others, send_everything
from test_v2_sender import expected_rows

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
# Folders of samples and of what is none, for each layout and prefix; k, d and h stand for kind, day and hour.
PLACES = {
    "cloudzero": {
        "": ("dt=d/hr=h", "k/dt=d/hr=h"),
        "raw/{cluster}": ("raw/end-to-end/dt=d/hr=h", "raw/end-to-end/k/dt=d/hr=h"),
        "{cluster}/{dt}/{hr}": ("end-to-end/d/h", "end-to-end/k/d/h"),
        "{account}/{kind}": ("123456789/k/dt=d/hr=h",) * 2,
    },
    "native": {
        "": ("k/dt=d/hr=h",) * 2,
        "raw/{cluster}": ("raw/end-to-end/k/dt=d/hr=h",) * 2,
        "tables/{kind}/day={dt}": ("tables/k/day=d",) * 2,
        "{region}-{kind}-{hr}": ("us-east-1-k-h",) * 2,
    },
}


@pytest.fixture
def moto():
    made = Moto()
    yield made
    made.stop()


def folder_of(name: str, template: str) -> str:
    """Where a file of this name belongs: of the hour of its first row."""
    kind, first_ms, *_ = name.split("_")
    hour = datetime.fromtimestamp(int(first_ms) / 1000, timezone.utc)
    parts = {"k": kind, "d": f"{hour:%Y-%m-%d}", "h": f"{hour:%H}"}
    return re.sub(r"\b[kdh]\b", lambda part: parts[part[0]], template)


@pytest.mark.parametrize(
    ("layout", "prefix"), [(layout, prefix) for layout, prefixes in PLACES.items() for prefix in prefixes]
)
def test_each_kind_has_its_place(make_cirrus, encoder, moto, tmp_path, layout, prefix):
    destination = {"kind": "s3", "bucket": BUCKET, "endpoint": moto.endpoint, "path_style": True, "layout": layout}
    cirrus = make_cirrus(destination=destination | ({"prefix": prefix} if prefix else {}))
    cirrus.start(env=KEYS)
    series, wanted = send_everything(cirrus, encoder)
    cirrus.drain()
    objects = moto.objects()
    of_samples, of_others = PLACES[layout][prefix]
    for key in objects:
        folder, name = key.rsplit("/", 1)
        assert folder == folder_of(name, of_samples if name.startswith("metrics_") else of_others), key
    assert {key.rsplit("/", 1)[-1].split("_")[0] for key in objects} == set(KINDS)
    kept = {path.name: path.read_bytes() for path in (cirrus.data / "uploaded").rglob("*.parquet")}
    assert {key.rsplit("/", 1)[-1]: content for key, content in objects.items()} == kept
    # As a directory has them, for those who read one.
    lake = SimpleNamespace(destination=tmp_path / "read back")
    for key, content in objects.items():
        name = key.rsplit("/", 1)[-1]
        place = lake.destination / folder_of(name, "k/dt=d/hr=h") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    check_others(lake, series, wanted)
    if layout == "cloudzero":
        assert read_rows(lake.destination / "metrics") == expected_rows([series])
    remote = cirrus.command("verify", "--remote", "--config", cirrus.config, env=KEYS)
    assert remote.returncode == 0, remote.stdout + remote.stderr
