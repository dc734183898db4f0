"""`czctl config`, completions and help topics."""

import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml
from processes import ROOT, czctl_path


def run(*arguments, **options):
    return subprocess.run([czctl_path(), *arguments], capture_output=True, text=True, timeout=60, **options)


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(run("config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def examples():
    """Every YAML block of the documentation that is a configuration of ours."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL):
            document = yaml.safe_load(block)
            if isinstance(document, dict) and {"database", "cloudzero", "destination", "tls", "auth"} & set(document):
                yield path.name, document


def test_schema_takes_what_the_documentation_shows(validator):
    found = list(examples())
    assert len(found) >= 2
    for name, document in found:
        assert [error.message for error in validator.iter_errors(document)] == [], name


def test_schema_knows_every_key_that_config_print_shows(validator):
    settings = json.loads(run("config", "print", "-o", "json").stdout)["settings"]
    for setting in settings:
        schema = validator.schema
        for part in setting["key"].split("."):
            schema = schema["properties"][part]
        assert schema["description"], setting["key"]


@pytest.mark.parametrize(
    "document, where",
    [
        ({"sever": {}}, ""),
        ({"server": {"port": 0}}, "server.port"),
        ({"server": {"port": "80"}}, "server.port"),
        ({"cloudzero": {"send_interval": "10 minutes"}}, "cloudzero.send_interval"),
        ({"wal": {"segment_bytes": "big"}}, "wal.segment_bytes"),
        ({"destination": {"kind": "ftp"}}, "destination.kind"),
        ({"destinations": [{"kind": "directory", "pth": "x"}]}, "destinations.0"),
        ({"metrics": {"cost": [{"match": "exact"}]}}, "metrics.cost.0"),
    ],
)
def test_schema_and_check_refuse_the_same(validator, document, where, tmp_path):
    assert [".".join(map(str, error.absolute_path)) for error in validator.iter_errors(document)] == [where]
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump({"cluster_name": "c", **document}))
    checked = run("config", "check", "--config", path)
    # The loader reads numbers out of quotes, which an editor should not suggest.
    assert checked.returncode == (0 if document == {"server": {"port": "80"}} else 2), checked.stderr


@pytest.mark.parametrize("size, text", [("16MiB", "16Mi"), ("16Mi", "16Mi"), ("1MB", "1M"), ("65536B", "64Ki")])
def test_explain(size, text, tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(f"wal:\n  segment_bytes: {size}\n")
    told = run("config", "explain", "wal.segment_bytes", "--config", path)
    assert told.returncode == 0
    assert re.search(rf"^  now +{text}  \(.*:2\)$", told.stdout, re.MULTILINE), told.stdout
    assert "WAL_SEGMENT_BYTES" in told.stdout and "64Ki to 1Gi" in told.stdout


def test_explain_a_section_and_a_wrong_name():
    section = run("config", "explain", "limits")
    assert section.returncode == 0 and section.stdout.count("limits.") >= 10
    wrong = run("config", "explain", "wal.segment_byte")
    assert wrong.returncode == 4
    assert wrong.stderr.splitlines()[1] == "Try: czctl config explain wal.segment_bytes"


def test_completions_are_scripts():
    for shell in ["bash", "zsh", "fish"]:
        script = run("completions", shell)
        assert script.returncode == 0 and "czctl" in script.stdout
    bash = run("completions", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=bash, text=True, timeout=60).returncode == 0


@pytest.mark.parametrize("topic, word", [("exit-codes", "unhealthy"), ("states", "quarantined")])
def test_help_topics(topic, word):
    for arguments in [["help", topic], [topic, "--help"], [topic]]:
        told = run(*arguments)
        assert told.returncode == 0 and word in told.stdout, arguments


def test_migrate(make_cirrus, tmp_path):
    """The agent's file becomes ours, and is good; what it lacks is said."""
    cirrus = make_cirrus()
    agent = tmp_path / "agent.yml"
    key = tmp_path / "key"
    key.write_text("canary\n")
    agent.write_text(
        "cluster_name: prod\ncloud_account_id: '0123'\nregion: us-east-1\n"
        f"database: {{storage_path: {cirrus.data}, compress: true}}\n"
        f"cloudzero: {{api_key_path: {key}, rotate_interval: 10m, send_interval: 2m}}\n"
    )
    result = cirrus.command("config", "migrate", agent)
    assert result.returncode == 0, result.stderr
    assert "# compress: true  # no longer used" in result.stdout and "2 keys are commented out" in result.stderr
    migrated = tmp_path / "config.yml"
    migrated.write_text(result.stdout)
    checked = cirrus.command("config", "check", "--config", migrated)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
    agent.write_text("cluster_name: prod\ncloudzero: {api_key_path: /key}\n")
    lacking = cirrus.command("config", "migrate", agent)
    assert lacking.returncode == 3 and "region" in lacking.stderr
    agent.write_text("a: [")
    assert cirrus.command("config", "migrate", agent).returncode == 2


def test_check_and_print_take_one_setting_more(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(f"cluster_name: a\ndatabase: {{ storage_path: {tmp_path} }}\n")
    clean = {"PATH": os.environ["PATH"]}
    good = run("config", "check", "--config", path, env=clean)
    assert good.returncode == 0 and good.stderr == ""
    assert run("config", "check", "--config", path, "--set", "server.port=0", env=clean).returncode == 2
    shown = run("config", "print", "--config", path, "--set", "server.port=9000", "-o", "json", env=clean)
    [port] = [one for one in json.loads(shown.stdout)["settings"] if one["key"] == "server.port"]
    assert (port["value"], port["origin"]) == ("9000", "flag")


def test_check_says_what_does_not_hold_on_this_machine(tmp_path):
    path = tmp_path / "config.yml"
    (tmp_path / "empty").write_text("\n")
    path.write_text(f"""
cluster_name: a
cloud_account_id: "1"
region: us-east-1
database: {{ storage_path: {tmp_path}, available_storage: 512Pi, cost_max_interval: 5m }}
cloudzero: {{ api_key_path: {tmp_path}/absent, send_interval: 10m }}
""")
    clean = {"PATH": os.environ["PATH"]}
    checked = run("config", "check", "--config", path, env=clean)
    assert checked.returncode == 0, checked.stderr
    for warning in ("api_key_path: ", "send_interval is longer", "available_storage: 512.0 PiB, and the volume has"):
        assert warning in checked.stderr, checked.stderr
    key = f"cloudzero.api_key_path={tmp_path}/empty"
    assert "is empty" in run("config", "check", "--config", path, "--set", key, env=clean).stderr
    # None of it is a collector's.
    assert "api_key_path" not in run("config", "check", "--config", path, "--role", "collector", env=clean).stderr
