"""What is in manifests/: valid Kubernetes objects, whose configuration, probes and hooks a real czctl understands.

No cluster is asked: kubernetes-validate holds the schemas, kubectl renders the kustomizations, Helm's own library the
chart. The objects of operators (monitoring.coreos.com, keda.sh) have no schema there and are compared with what they
select instead.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import requests
import yaml

from cirrus import COMMAND_SECONDS
from processes import ROOT, clean_environment, czctl_path
from remote_write import Sender, snappy
from test_metrics import promtool
from test_receiver import one_series

MANIFESTS = ROOT / "manifests"
GOLDEN = Path(__file__).parent / "golden"
KUBERNETES = "1.37"
OPERATORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject"}
KEY_PATH = "/cloudzero/secret/value"
VALUES = {
    "least": {"config": {"cluster_name": "least"}},
    "cloudzero": {
        "config": {
            "cluster_name": "prod-eu-1",
            "cloud_account_id": "123456789012",
            "region": "eu-west-1",
            "server": {"port": 9080, "shipper_port": 9081},
            "database": {"max_records": 2000000},
            "cloudzero": {"api_key_path": KEY_PATH},
            "tls": {"cert_file": "/tls/tls.crt", "key_file": "/tls/tls.key"},
        },
        "apiKey": {"value": "not-a-key"},
        "image": {"registry": "registry.example.com/", "tag": "0.1.1", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}],
        "persistence": {"size": "50Gi", "storageClass": "fast"},
        "drainSeconds": 600,
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/cirrus"}},
        "podAnnotations": {"team": "platform"},
        "podLabels": {"tier": "metrics"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "extraEnv": [{"name": "LOG_LEVEL", "value": "debug"}],
        "extraVolumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
        "networkPolicy": {"egressPorts": [443, 3128]},
        "autoscaling": {"enabled": True},
        "monitoring": {
            "serviceMonitor": True,
            "podMonitor": True,
            "prometheusRule": True,
            "labels": {"release": "monitoring"},
        },
    },
}


def render_chart(values: dict) -> str:
    chart = helm_python.Chart.load(str(MANIFESTS / "helm"))
    files = chart.render(values, name="cirrus", namespace="cirrus")
    return "".join(f"---\n# {name}\n{files[name].strip()}\n" for name in sorted(files) if name.endswith(".yaml"))


def kustomize(folder: Path) -> str:
    result = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, env=VENV)
    assert result.returncode == 0, result.stderr
    return result.stdout


# kubectl comes from PyPI, beside the interpreter.
VENV = clean_environment() | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
KUSTOMIZATIONS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
PLAIN = [
    *sorted((MANIFESTS / "cloudzero").iterdir()),
    MANIFESTS / "prometheus-federated/deployment.yml",
    MANIFESTS / "kustomize/drain-pvc.yaml",
    MANIFESTS / "kustomize/overlays/prod/keda.yaml",
    MANIFESTS / "observability/podmonitor.yaml",
]
SETS = {
    **{str(path.relative_to(MANIFESTS)): lambda path=path: path.read_text() for path in PLAIN},
    **{str(path.relative_to(MANIFESTS)): lambda path=path: kustomize(path) for path in KUSTOMIZATIONS},
    **{f"helm {name}": lambda values=values: render_chart(values) for name, values in VALUES.items()},
}
# Each is what one installation consists of.
INSTALLATIONS = {
    "cloudzero": lambda: "\n---\n".join(path.read_text() for path in (MANIFESTS / "cloudzero").iterdir()),
    **{path.name: lambda path=path: kustomize(path) for path in KUSTOMIZATIONS if path.parent.name == "overlays"},
    **{f"helm {name}": lambda values=values: render_chart(values) for name, values in VALUES.items()},
}


def objects(text: str) -> list[dict]:
    return [found for found in yaml.safe_load_all(text) if found]


FEDERATED = objects((MANIFESTS / "prometheus-federated/deployment.yml").read_text())[0]


def of_kind(found: list[dict], *kinds: str) -> list[dict]:
    return [one for one in found if one["kind"] in kinds]


def pod_of(one: dict) -> dict | None:
    return one["spec"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get("spec")


@pytest.mark.parametrize("name", SETS)
def test_valid_objects(name):
    found = objects(SETS[name]())
    assert found
    for one in found:
        if one["kind"] not in OPERATORS:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_the_validator_finds_a_wrong_field():
    (statefulset,) = of_kind(objects(kustomize(MANIFESTS / "kustomize/base")), "StatefulSet")
    statefulset["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(statefulset, KUBERNETES, strict=True)


def test_names_that_users_of_the_original_know():
    found = {
        (one["kind"], one["metadata"]["name"])
        for path in (MANIFESTS / "cloudzero").iterdir()
        for one in objects(path.read_text())
    }
    assert found == {
        ("Namespace", "cirrus"), ("ConfigMap", "cloudzero-collector-config"), ("Secret", "cloudzero-secret"),
        ("PersistentVolumeClaim", "database-pvc"), ("Deployment", "collector"), ("Service", "collector"),
        ("Pod", "temp-shell"),
    }  # fmt: skip
    assert (ROOT / "app/manifests/cloudzero/deployment.yml").samefile(MANIFESTS / "cloudzero/deployment.yml")
    federated = (MANIFESTS / "prometheus-federated/deployment.yml").read_text()
    kinds = {one["kind"] for one in objects(federated)}
    assert {"ServiceAccount", "ClusterRole", "DaemonSet", "Deployment"} <= kinds
    assert "http://collector.cirrus.svc.cluster.local/metrics?cluster_name=" in federated


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_configuration_and_pods(name, tmp_path):
    found = objects(INSTALLATIONS[name]())
    (config_map,) = [one for one in of_kind(found, "ConfigMap") if "config.yml" in one["data"]]
    text = config_map["data"]["config.yml"]
    file = tmp_path / "config.yml"
    file.write_text(text)
    for role in ("run", "collector", "shipper"):
        check = ["config", "check", "--config", file, "--role", role]
        result = subprocess.run(
            [czctl_path(), *check], capture_output=True, text=True, timeout=COMMAND_SECONDS, env=clean_environment()
        )
        assert result.returncode == 0 and "warning" not in result.stderr, result.stderr
    config = yaml.safe_load(text)
    (workload,) = of_kind(found, "Deployment", "StatefulSet")
    pod = pod_of(workload)
    server = config.get("server", {})
    ports = {"collector": server.get("port", 8080), "shipper": server.get("shipper_port", 8081)}
    assert [container["name"] for container in pod["containers"]] == list(ports)
    hook_seconds = []
    for container in pod["containers"]:
        assert container["command"][1] == container["name"]
        assert [port["containerPort"] for port in container["ports"]] == [ports[container["name"]]]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounts[config["database"]["storage_path"]] == "data"
        assert mounts["/cloudzero/config"] == "config"
        if "api_key_path" in config.get("cloudzero", {}):
            assert config["cloudzero"]["api_key_path"] == KEY_PATH and mounts["/cloudzero/secret"] == "secret"
        hook = container["lifecycle"]["preStop"]["exec"]["command"]
        assert hook[:4] == ["/cloudzero/czctl", "drain", "--config", "/cloudzero/config/config.yml"]
        hook_seconds.append(int(hook[hook.index("--timeout") + 1]))
        scheme = "HTTPS" if config.get("tls") else "HTTP"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"].get("scheme", "HTTP") == scheme
            assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
    # A graceful stop after the hooks must fit in, too.
    assert pod["terminationGracePeriodSeconds"] >= max(hook_seconds) + 60
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    assert volumes >= {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "config"]
    assert volume["configMap"]["name"] == config_map["metadata"]["name"]
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    names = {port["name"] for container in pod["containers"] for port in container["ports"]}
    services = of_kind(found, "Service")
    for service in services:
        assert service["spec"]["selector"].items() <= labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} == names
    for budget in of_kind(found, "PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    for policy in of_kind(found, "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        allowed = policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
        assert allowed.items() <= FEDERATED["metadata"]["labels"].items()
    for scaler in of_kind(found, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]
        assert "replicas" not in workload["spec"]
        assert scaler["spec"]["metrics"][0]["containerResource"]["container"] in ports
    for monitor in of_kind(found, "ServiceMonitor"):
        selected = [
            service
            for service in services
            if monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        ]
        # One, or each process is scraped twice.
        assert len(selected) == 1
        assert {end["port"] for end in monitor["spec"]["endpoints"]} == names
    for monitor in of_kind(found, "PodMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels
        assert {end["port"] for end in monitor["spec"]["podMetricsEndpoints"]} == names


@pytest.mark.parametrize("name", SETS)
def test_pods_have_no_more_rights_than_they_need(name):
    for one in objects(SETS[name]()):
        pod = pod_of(one)
        if pod is None:
            continue
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 65534
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        if pod.get("serviceAccountName") != "prometheus-federated":
            assert pod["automountServiceAccountToken"] is False
        if any("cirrus" in container["image"] for container in pod["containers"]):
            assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert "memory" in container["resources"]["limits"] and "cpu" not in container["resources"]["limits"]


def test_probes_and_hooks_of_a_real_service(make_cirrus, encoder):
    """The probes' routes answer; both hooks at once, as the kubelet runs them, leave nothing on the volume."""
    deployment = objects((MANIFESTS / "cloudzero/deployment.yml").read_text())[1]
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, cloudzero={"send_interval": "1h"})
    cirrus.start("collector")
    cirrus.start("shipper")
    for container, port in zip(pod_of(deployment)["containers"], (cirrus.port, cirrus.shipper_port), strict=True):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            answer = requests.get(f"http://127.0.0.1:{port}{container[probe]['httpGet']['path']}", timeout=10)
            assert answer.status_code == 200
    assert Sender(cirrus.port).post(snappy(encoder.v1(one_series("cpu"))))[0] == 204
    with ThreadPoolExecutor(2) as pool:
        hooks = [pool.submit(cirrus.command, "drain", "--config", cirrus.config, "--timeout", "60") for _ in range(2)]
    assert [hook.result().returncode for hook in hooks] == [0, 0], [hook.result().stderr for hook in hooks]
    assert requests.get(f"{cirrus.url}/readyz", timeout=10).status_code == 503
    assert requests.get(f"{cirrus.url}/livez", timeout=10).status_code == 200
    for program in cirrus.programs:
        assert program.stop() == 0
    assert len(list(cirrus.destination.rglob("*.parquet"))) == 1


@pytest.mark.parametrize("name", VALUES)
def test_rendered_chart(name):
    """`UPDATE_DOCS=1` writes what is rendered today: look at the difference, then commit it."""
    golden, rendered = GOLDEN / f"helm-{name}.yaml", render_chart(VALUES[name])
    if os.environ.get("UPDATE_DOCS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_the_chart_is_clean():
    found = helm_python.lint(str(MANIFESTS / "helm"), VALUES["least"], strict=True)
    assert found["errors"] == [] and [entry for entry in found["messages"] if "icon" not in entry["error"]] == []


@pytest.mark.parametrize(
    "values, complaint",
    [
        ({}, "cluster_name"),
        ({"config": {"cluster_name": "a b"}}, "cluster_name"),
        ({"config": {"cluster_name": "a"}, "replica": 3}, "replica"),
        ({"config": {"cluster_name": "a"}, "image": {"digest": "sha256:short"}}, "digest"),
        ({"config": {"cluster_name": "a"}, "apiKey": {"value": "x", "existingSecret": "y"}}, "apiKey"),
        ({"config": {"cluster_name": "a"}, "persistence": {"size": "20"}}, "size"),
    ],
)
def test_values_that_the_chart_refuses(values, complaint):
    with pytest.raises(helm_python.HelmValuesError, match=complaint):
        render_chart(values)


def test_the_schema_knows_every_value_and_no_other():
    schema = json.loads((MANIFESTS / "helm/values.schema.json").read_text())
    values = yaml.safe_load((MANIFESTS / "helm/values.yaml").read_text())

    def compare(properties: dict, part: dict, place: str):
        assert set(properties) - {"global"} == set(part), place
        for name, entry in properties.items():
            if entry.get("additionalProperties") is False:
                compare(entry["properties"], part[name], f"{place}.{name}")

    compare(schema["properties"], values, "values")


def test_runbooks_are_where_the_installation_has_them():
    base = "https://git.example.com/cirrus/blob/main/docs/runbooks"
    values = VALUES["least"] | {"monitoring": {"prometheusRule": True, "runbooks": base + "/"}}
    (found,) = of_kind(objects(render_chart(values)), "PrometheusRule")
    rules = found["spec"]["groups"][0]["rules"]
    assert rules and all(rule["annotations"]["runbook_url"] == f"{base}/{rule['alert']}.md" for rule in rules)


ROLE = {"kind": "s3", "bucket": "b", "region": "us-east-1"}
KEYS = {"access_key_file": "/keys/id", "secret_key_file": "/keys/secret"}


@pytest.mark.parametrize(
    "config, is_asking",
    [
        ({}, False),
        ({"destination": ROLE}, True),
        ({"destination": ROLE | KEYS}, False),
        ({"destinations": [{"kind": "directory", "path": "/x"}, ROLE]}, True),
    ],
)
def test_the_keys_of_a_role_can_be_asked_for(config, is_asking):
    """Pod Identity and instance metadata answer at port 80 of link-local addresses."""
    found = render_chart({"config": {"cluster_name": "c"} | config})
    check_egress(found, is_asking)


def check_egress(text: str, is_asking: bool):
    (policy,) = of_kind(objects(text), "NetworkPolicy")
    asked = [
        block["ipBlock"]["cidr"]
        for rule in policy["spec"]["egress"]
        if {"protocol": "TCP", "port": 80} in rule["ports"]
        for block in rule["to"]
    ]
    assert asked == (["169.254.170.23/32", "169.254.169.254/32"] if is_asking else [])


@pytest.mark.parametrize("name", ["demo", "prod", "irsa"])
def test_the_overlays_ask_for_keys_where_they_need_them(name):
    check_egress(kustomize(MANIFESTS / f"kustomize/overlays/{name}"), name == "irsa")


def test_the_chart_carries_the_dashboard():
    values = VALUES["least"] | {"monitoring": {"dashboard": True}}
    (config_map,) = [one for one in objects(render_chart(values)) if one["metadata"]["name"] == "cirrus-dashboard"]
    assert config_map["data"]["cirrus.json"].strip() == (MANIFESTS / "observability/dashboard.json").read_text().strip()
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_prometheus_reads_the_agents_configuration(tmp_path):
    (config_map,) = of_kind(
        objects((MANIFESTS / "prometheus-federated/deployment.yml").read_text()), "ConfigMap"
    )
    for name, text in config_map["data"].items():
        file = tmp_path / name
        file.write_text(text)
        result = subprocess.run(
            [promtool(), "check", "config", "--agent", "--syntax-only", file],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
