"""Metrics, rules, dashboard and runbooks agree with each other and with what real services expose.

`UPDATE_DOCS=1` writes docs/metrics.md anew.
"""

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field

import pytest
import requests
import yaml

from certificates import Authority
from processes import ROOT, clean_environment, czctl_path, wait_until
from test_metrics import promtool

RULES = ROOT / "manifests/observability/rules.yml"
DASHBOARD = ROOT / "manifests/observability/dashboard.json"
RUNBOOKS = ROOT / "docs/runbooks"
PAGE = ROOT / "docs/metrics.md"
TOKEN = "scraper"
# What a configuration, a build or the names of destinations decide.
OPEN_LABELS = {"version", "revision", "rule", "le", "destination"}
OURS = re.compile(
    r"(?<![.\w])(?:cirrus|shipper|metrics_received|http_request|function_execution|process)_[a-z_]*[a-z]\b"
)


@dataclass
class Family:
    help: str
    type: str
    services: set[str] = field(default_factory=set)
    labels: dict[str, list[str]] = field(default_factory=dict)

    def add(self, labels: str):
        for name, value in re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels):
            values = self.labels.setdefault(name, [])
            if value not in values:
                values.append(value)


def families(exposition: str, service: str, found: dict[str, Family]):
    helps = {}
    for line in exposition.splitlines():
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            helps[name] = text
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            current = found.setdefault(name, Family(helps[name], kind))
            assert (current.help, current.type) == (helps[name], kind), f"{name} differs between services"
            current.services.add(service)
        else:
            current.add(line.partition("{")[2].rpartition("}")[0])


@pytest.fixture
def exposed(make_cirrus, tmp_path) -> dict[str, Family]:
    """What a collector and a shipper expose together, with everything turned on that adds a name."""
    authority = Authority("test")
    certificate, key = authority.issue().files(tmp_path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    cirrus = make_cirrus(
        tls={"cert_file": str(certificate), "key_file": str(key)},
        auth={"bearer_file": str(token)},
        metrics={name: [{"pattern": "a", "match": "prefix"}] for name in ("cost", "observability", "cost_labels")},
    )
    found: dict[str, Family] = {}
    trust = authority.file(tmp_path / "ca.crt")
    for role, port in (("collector", cirrus.port), ("shipper", cirrus.shipper_port)):
        program = cirrus.spawn(role)
        get = dict(verify=str(trust), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        answer = first_answer(program, f"https://127.0.0.1:{port}/metrics", get)
        families(answer.text, role, found)
    return found


def first_answer(program, url: str, get: dict) -> requests.Response:
    """The first that is whole: the port answers before its service is there, whose last metric this is."""

    def ask():
        assert program.running, program.tail()
        try:
            answer = requests.get(url, **get)
        except requests.ConnectionError:
            return None
        return answer if "cirrus_config_last_reload_successful" in answer.text else None

    return wait_until(ask, url)


def names_in(text: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name not in COUNTS else name for name in OURS.findall(text)}


# Names of the original that end like a histogram's series.
COUNTS = {"shipper_handle_request_file_count", "shipper_replay_request_file_count"}


def rules() -> list[dict]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def panels() -> list[dict]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


# MARK: the page of metrics


def page(found: dict[str, Family]) -> str:
    sections = {
        "Names of Cirrus": lambda name: name.startswith("cirrus_"),
        "Names of the original agent": lambda name: not name.startswith(("cirrus_", "process_")),
        "The process": lambda name: name.startswith("process_"),
    }
    lines = [
        "# Metrics",
        "",
        "What `GET /metrics` shows (Prometheus text format). `czctl run` shows what collector and shipper show. Every",
        "series but those of TLS, credentials and filters is there at 0 from the start. This page is written from the",
        "services' own answers, and a test fails when it is not what they say.",
    ]
    values: dict[tuple[str, ...], list[str]] = {}
    for title, belongs in sections.items():
        lines += ["", f"## {title}", "", "| Metric | Type | Labels | Of | Meaning |", "|---|---|---|---|---|"]
        for name in sorted(filter(belongs, found)):
            family = found[name]
            labels = [label for label in family.labels if label != "le"]
            of = "both" if len(family.services) == 2 else next(iter(family.services))
            named = ", ".join(f"`{label}`" for label in labels)
            lines.append(f"| `{name}` | {family.type} | {named} | {of} | {family.help} |")
            for label in labels:
                if label not in OPEN_LABELS:
                    key = (label, *[value or '""' for value in family.labels[label]])
                    values.setdefault(key, []).append(name)
    lines += ["", "## Values of labels", "", "| Label | Values | In |", "|---|---|---|"]
    for (label, *given), names in sorted(values.items()):
        # The two dozen counters by error code are named by what they share.
        where = ", ".join(f"`{name}`" for name in names) if len(names) < 5 else f"{len(names)} counters `shipper_*`"
        lines.append(f"| `{label}` | {', '.join(f'`{value}`' for value in given)} | {where} |")
    return "\n".join(lines) + "\n"


def test_the_page_of_metrics(exposed):
    written = page(exposed)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(written)
    assert written == PAGE.read_text(), "stale: UPDATE_DOCS=1 writes it anew"


# MARK: every name exists


def test_every_metric_that_is_used_is_exposed(exposed):
    used = {
        "rules": "\n".join(rule["expr"] for rule in rules()),
        "rules_test": (ROOT / "manifests/observability/rules_test.yml").read_text(),
        "dashboard": "\n".join(target["expr"] for panel in panels() for target in panel["targets"])
        + json.dumps(json.loads(DASHBOARD.read_text())["templating"]),
        "keda": (ROOT / "manifests/kustomize/overlays/prod/keda.yaml").read_text(),
        **{file.name: file.read_text() for file in RUNBOOKS.glob("*.md")},
        **{name: (ROOT / "docs" / name).read_text() for name in ("operations.md", "security.md", "configuration.md")},
    }
    for where, text in used.items():
        unknown = names_in(text) - exposed.keys()
        assert not unknown, f"{where}: {sorted(unknown)}"
    assert len(names_in(used["dashboard"])) > 20 and len(names_in(used["rules"])) > 15


def test_every_label_value_in_rules_exists(exposed):
    for rule in rules():
        for name, selectors in re.findall(r"([a-z_]+)\{([^}]*)\}", rule["expr"]):
            for label, operator, value in re.findall(r'([a-z_]+)(=~|=)"([^"]*)"', selectors):
                for one in value.split("|") if operator == "=~" else [value]:
                    assert one in exposed[name].labels[label], f"{rule['alert']}: {name} has no {label}={one}"


# MARK: rules


def test_promtool_accepts_the_rules():
    for arguments in (["check", "rules", RULES], ["test", "rules", "manifests/observability/rules_test.yml"]):
        result = subprocess.run(
            [promtool(), *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, env=clean_environment()
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_tested_both_ways():
    tests = yaml.safe_load((ROOT / "manifests/observability/rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts


def test_the_operators_rules_are_the_plain_ones():
    operators = yaml.safe_load((ROOT / "manifests/observability/prometheusrule.yaml").read_text())
    assert operators["spec"] == yaml.safe_load(RULES.read_text())


def test_one_runbook_an_alert():
    alerts = [rule["alert"] for rule in rules()]
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == sorted(alerts)
    for rule in rules():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
        assert rule["labels"]["severity"] in ("warning", "critical") and rule["annotations"]["summary"]


def test_the_first_line_of_a_runbook_is_a_command_that_works(make_cirrus):
    cirrus = make_cirrus()
    cirrus.start("run")
    for path in sorted(RUNBOOKS.glob("*.md")):
        first = path.read_text().splitlines()[0]
        assert first.startswith("`czctl ") and first.endswith("`"), f"{path.name}: {first}"
        words = shlex.split(first[1:-1].replace("/cloudzero/config/config.yml", str(cirrus.config)))
        result = subprocess.run(
            [czctl_path(), *words[1:]],
            capture_output=True, text=True, timeout=60, env=clean_environment() | {"CZCTL_DATA": str(cirrus.data)},
        )  # fmt: skip
        assert result.returncode in (0, 3), f"{path.name}: {result.stderr}"


# MARK: dashboard


def test_the_dashboard_is_one_that_grafana_can_load(tmp_path):
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "cirrus" and "id" not in dashboard
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert variables == ["datasource", "namespace", "pod"]
    every = dashboard["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in every)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "panels overlap"
    expressions = []
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} and panel["title"]
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "5m").replace("$namespace", ".*").replace("$pod", ".*")
            assert "$" not in text
            expressions.append(text)
    # promtool is the parser of PromQL.
    file = tmp_path / "expressions.yml"
    records = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    result = subprocess.run([promtool(), "check", "rules", file], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
