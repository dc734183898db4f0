"""The samples of a synthetic Kubernetes cluster: cAdvisor and kube-state-metrics series, scraped for ten minutes.

Labels, values and the order in which samples come are those of such a cluster; the same arguments give the same data.
"""

import datetime, hashlib, json, re

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc


def hexs(rng, n, k):
    b = rng.integers(0, 256, size=(n, k // 2), dtype=np.uint8)
    return [x.tobytes().hex() for x in b]


def uuid_(h):
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"


def gojson(d):
    s = json.dumps(d, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return s.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def fmt(v):  # Go strconv.FormatFloat(v,'f',-1,64)
    if v != v:
        return "NaN"
    if v in (float("inf"), float("-inf")):
        return "+Inf" if v > 0 else "-Inf"
    if v == int(v) and abs(v) < 1e15:
        return str(int(v)) if not (v == 0 and str(v)[0] == "-") else "-0"
    s = repr(v)
    if "e" not in s:
        return s[:-2] if s.endswith(".0") else s
    return np.format_float_positional(v, unique=True, trim="-")


START = 1782918300000  # 2026-07-01T15:05:00Z: ten minutes of one hour, though samples are up to 12 s older

CADV = [  # name, kind, extra label dicts
    ("container_cpu_usage_seconds_total", "cpu", [{"cpu": "total"}]),
    ("container_cpu_user_seconds_total", "cpu", [{}]),
    ("container_cpu_system_seconds_total", "cpu", [{}]),
    ("container_cpu_cfs_periods_total", "cnt", [{}]),
    ("container_cpu_cfs_throttled_periods_total", "cntslow", [{}]),
    ("container_cpu_cfs_throttled_seconds_total", "cpuslow", [{}]),
    ("container_memory_usage_bytes", "mem", [{}]),
    ("container_memory_working_set_bytes", "mem", [{}]),
    ("container_memory_rss", "mem", [{}]),
    ("container_memory_cache", "memslow", [{}]),
    ("container_memory_swap", "zero", [{}]),
    ("container_memory_mapped_file", "memslow", [{}]),
    ("container_memory_max_usage_bytes", "memslow", [{}]),
    ("container_memory_failcnt", "zero", [{}]),
    (
        "container_memory_failures_total",
        "cntslow",
        [{"failure_type": a, "scope": b} for a in ("pgfault", "pgmajfault") for b in ("container", "hierarchy")],
    ),
    ("container_fs_reads_total", "cntslow", [{"device": "/dev/nvme0n1"}]),
    ("container_fs_writes_total", "cnt", [{"device": "/dev/nvme0n1"}]),
    ("container_fs_reads_bytes_total", "cntslow", [{"device": "/dev/nvme0n1"}]),
    ("container_fs_writes_bytes_total", "cntbytes", [{"device": "/dev/nvme0n1"}]),
    ("container_spec_memory_limit_bytes", "const", [{}]),
    ("container_spec_memory_reservation_limit_bytes", "zero", [{}]),
    ("container_spec_cpu_period", "const", [{}]),
    ("container_spec_cpu_quota", "const", [{}]),
    ("container_spec_cpu_shares", "const", [{}]),
    ("container_start_time_seconds", "const_t", [{}]),
    ("container_last_seen", "seen", [{}]),
    ("container_processes", "small", [{}]),
    ("container_threads", "small", [{}]),
    ("container_sockets", "small", [{}]),
    ("container_file_descriptors", "small", [{}]),
    ("container_oom_events_total", "zero", [{}]),
]
CNET = [
    ("container_network_%s_%s_total" % (d, k), "cntbytes" if k == "bytes" else ("cnt" if k == "packets" else "zero"))
    for d in ("receive", "transmit")
    for k in ("bytes", "packets", "errors", "packets_dropped")
]


def build(nseries, seed=1):
    rng = np.random.default_rng(seed)
    npods = max(8, nseries // 88)
    nnodes = max(3, npods // 28)
    nns = max(5, npods // 30)
    nss = [
        f"{a}-{b}"
        for a in ("team", "prod", "svc", "data", "ml")
        for b in (
            "payments",
            "search",
            "checkout",
            "ingest",
            "billing",
            "core",
            "edge",
            "auth",
            "reports",
            "catalog",
            "users",
            "events",
        )
    ][:nns] + ["kube-system", "monitoring"]
    apps = [
        f"{a}-{b}"
        for a in ("api", "worker", "frontend", "cron", "cache", "gateway", "consumer", "indexer")
        for b in (
            "orders",
            "users",
            "search",
            "mail",
            "stock",
            "audit",
            "pricing",
            "session",
            "fraud",
            "geo",
            "media",
            "ledger",
        )
    ]
    zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
    itypes = ["m6i.2xlarge", "m6i.4xlarge", "c6i.4xlarge", "r6i.2xlarge"]
    nodes = []
    for i in range(nnodes):
        o = rng.integers(0, 256, 2)
        z = zones[i % 3]
        it = itypes[int(rng.integers(0, 4))]
        name = f"ip-10-{40 + i % 3}-{o[0]}-{o[1]}.ec2.internal"
        nodes.append(
            dict(
                name=name,
                zone=z,
                it=it,
                lbl={
                    "beta_kubernetes_io_arch": "amd64",
                    "beta_kubernetes_io_instance_type": it,
                    "eks_amazonaws_com_nodegroup": "ng-" + it.split(".")[0],
                    "kubernetes_io_hostname": name,
                    "topology_kubernetes_io_region": "us-east-1",
                    "topology_kubernetes_io_zone": z,
                },
            )
        )
    S = []  # (metric, node, labels dict, kind, tsgroup, target)   tsgroup -> own timestamp phase
    tsg = 0
    KSM = nnodes  # target ids: node i = i, ksm = nnodes

    def add(metric, lab, kind, g, target, order):
        S.append((metric, lab.get("node", ""), {"__name__": metric, **lab}, kind, g, target, order))

    ksm_base = {
        "instance": "10.40.12.7:8080",
        "job": "kube-state-metrics",
        "service": "prometheus-kube-state-metrics",
        "app_kubernetes_io_name": "kube-state-metrics",
        "app_kubernetes_io_version": "2.13.0",
    }
    porder = 0
    for p in range(npods):
        n = int(rng.integers(0, nnodes))
        nd = nodes[n]
        ns = nss[int(min(rng.zipf(1.3), len(nss)) - 1)]
        app = apps[int(rng.integers(0, len(apps)))]
        hx = hexs(rng, 1, 32)[0]
        uid = uuid_(hx)
        rs = hexs(rng, 1, 10)[0]
        suf = "".join("bcdfghjklmnpqrstvwxz2456789"[int(x)] for x in rng.integers(0, 27, 5))
        pod = f"{app}-{rs}-{suf}"
        qos = ["burstable", "besteffort"][int(rng.integers(0, 2))]
        slice_ = f"/kubepods.slice/kubepods-{qos}.slice/kubepods-{qos}-pod{uid.replace('-', '_')}.slice"
        cad = {
            "namespace": ns,
            "pod": pod,
            "node": nd["name"],
            "instance": nd["name"],
            "job": "cloudzero-nodes-cadvisor",
            **nd["lbl"],
        }
        nc = 1 + int(rng.random() < 0.3) + int(rng.random() < 0.08)
        names = [app.split("-")[0], "istio-proxy", "log-agent"][:nc]
        for c in names:
            cid = hexs(rng, 1, 64)[0]
            img = (
                f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{app}"
                f":v1.{int(rng.integers(0, 40))}.{int(rng.integers(0, 9))}"
                if c != "istio-proxy"
                else "docker.io/istio/proxyv2:1.22.3"
            )
            tsg += 1
            base = {**cad, "container": c, "id": f"{slice_}/cri-containerd-{cid}.scope", "image": img, "name": cid}
            for mi, (m, kind, extra) in enumerate(CADV):
                for e in extra:
                    add(m, {**base, **e}, kind, tsg, n, (mi, porder))
            for m, res, unit, kind in (
                ("kube_pod_container_resource_requests", "cpu", "core", "const"),
                ("kube_pod_container_resource_requests", "memory", "byte", "const"),
                ("kube_pod_container_resource_limits", "cpu", "core", "const"),
                ("kube_pod_container_resource_limits", "memory", "byte", "const"),
            ):
                add(
                    m,
                    {
                        **ksm_base,
                        "namespace": ns,
                        "pod": pod,
                        "uid": uid,
                        "container": c,
                        "node": nd["name"],
                        "resource": res,
                        "unit": unit,
                    },
                    kind,
                    0,
                    KSM,
                    (100, porder),
                )
            for j, m in enumerate(
                (
                    "kube_pod_container_status_ready",
                    "kube_pod_container_status_running",
                    "kube_pod_container_status_waiting",
                    "kube_pod_container_status_terminated",
                    "kube_pod_container_status_restarts_total",
                )
            ):
                add(
                    m,
                    {**ksm_base, "namespace": ns, "pod": pod, "uid": uid, "container": c},
                    "bool" if j < 4 else "zero",
                    0,
                    KSM,
                    (101 + j, porder),
                )
            add(
                "kube_pod_container_info",
                {
                    **ksm_base,
                    "namespace": ns,
                    "pod": pod,
                    "uid": uid,
                    "container": c,
                    "image": img,
                    "image_spec": img,
                    "image_id": f"{img.split(':')[0]}@sha256:{hashlib.sha256(img.encode()).hexdigest()}",
                    "container_id": f"containerd://{cid}",
                },
                "one",
                0,
                KSM,
                (110, porder),
            )
            porder += 1
        # pod sandbox: network + pod-level memory
        tsg += 1
        scid = hexs(rng, 1, 64)[0]
        base = {
            **cad,
            "id": f"{slice_}/cri-containerd-{scid}.scope",
            "image": "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/pause:3.5",
            "name": scid,
            "interface": "eth0",
        }
        for mi, (m, kind) in enumerate(CNET):
            add(m, base, kind, tsg, n, (50 + mi, porder))
        tsg += 1
        base = {**cad, "id": slice_}
        for m in (
            "container_cpu_usage_seconds_total",
            "container_memory_working_set_bytes",
            "container_memory_usage_bytes",
            "container_memory_rss",
            "container_spec_memory_limit_bytes",
            "container_last_seen",
        ):
            mi = [x[0] for x in CADV].index(m)
            k = CADV[mi][1]
            add(m, {**base, **({"cpu": "total"} if "cpu" in m else {})}, k, tsg, n, (mi, porder))
        kp = {**ksm_base, "namespace": ns, "pod": pod, "uid": uid}
        add(
            "kube_pod_info",
            {
                **kp,
                "node": nd["name"],
                "host_ip": "10.40.1.7",
                "pod_ip": f"10.41.{int(rng.integers(0, 256))}.{int(rng.integers(0, 256))}",
                "host_network": "false",
                "created_by_kind": "ReplicaSet",
                "created_by_name": f"{app}-{rs}",
                "priority_class": "",
            },
            "one",
            0,
            KSM,
            (120, porder),
        )
        add(
            "kube_pod_labels",
            {
                **kp,
                "label_app": app,
                "label_app_kubernetes_io_name": app,
                "label_app_kubernetes_io_instance": f"{app}-{ns}",
                "label_app_kubernetes_io_component": app.split("-")[0],
                "label_pod_template_hash": rs,
                "label_team": ns.split("-")[0],
                "label_version": img.split(":")[-1],
            },
            "one",
            0,
            KSM,
            (121, porder),
        )
        add(
            "kube_pod_owner",
            {**kp, "owner_kind": "ReplicaSet", "owner_name": f"{app}-{rs}", "owner_is_controller": "true"},
            "one",
            0,
            KSM,
            (122, porder),
        )
        for ph in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            add("kube_pod_status_phase", {**kp, "phase": ph}, "bool", 0, KSM, (123, porder))
        for m in ("kube_pod_status_ready", "kube_pod_status_scheduled"):
            for c in ("true", "false", "unknown"):
                add(m, {**kp, "condition": c}, "bool", 0, KSM, (124, porder))
        add("kube_pod_created", kp, "const_t", 0, KSM, (126, porder))
        add("kube_pod_start_time", kp, "const_t", 0, KSM, (127, porder))
        porder += 1
    for i, nd in enumerate(nodes):
        kn = {**ksm_base, "node": nd["name"]}
        add(
            "kube_node_info",
            {
                **kn,
                "kernel_version": "5.10.223-212.873.amzn2.x86_64",
                "os_image": "Amazon Linux 2",
                "container_runtime_version": "containerd://1.7.11",
                "kubelet_version": "v1.30.4-eks-a737599",
                "provider_id": f"aws:///{nd['zone']}/i-{hexs(rng, 1, 16)[0]}",
                "internal_ip": nd["name"][3:].split(".")[0].replace("-", "."),
                "system_uuid": uuid_(hexs(rng, 1, 32)[0]),
            },
            "one",
            0,
            KSM,
            (130, i),
        )
        add("kube_node_labels", {**kn, **{"label_" + k: v for k, v in nd["lbl"].items()}}, "one", 0, KSM, (131, i))
        for m in ("kube_node_status_capacity", "kube_node_status_allocatable"):
            for r, u in (
                ("cpu", "core"),
                ("memory", "byte"),
                ("pods", "integer"),
                ("ephemeral_storage", "byte"),
                ("hugepages_2Mi", "byte"),
                ("attachable_volumes_aws_ebs", "byte"),
            ):
                add(m, {**kn, "resource": r, "unit": u}, "const", 0, KSM, (132, i))
        for c in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"):
            for st in ("true", "false", "unknown"):
                add("kube_node_status_condition", {**kn, "condition": c, "status": st}, "bool", 0, KSM, (134, i))
    nodemark = next(i for i, s in enumerate(S) if s[0] == "kube_node_info")
    S = S[: max(0, nseries - (len(S) - nodemark))] + S[nodemark:]
    return S, nnodes, tsg + 1, rng


def values(S, T, interval, rng, t0):
    n = len(S)
    V = np.zeros((n, T))
    kinds = np.array([s[3] for s in S])

    def idx(k):
        return np.flatnonzero(kinds == k)

    i = idx("cpu")
    base = np.exp(rng.normal(6, 2, len(i)))
    rate = np.exp(rng.normal(-4, 2, len(i)))
    inc = rate[:, None] * interval * rng.uniform(0.6, 1.4, (len(i), T))
    inc[rng.random((len(i), T)) < 0.08] = 0
    V[i] = np.round(base[:, None] + np.cumsum(inc, 1), 9)
    i = idx("cpuslow")
    inc = (
        np.where(rng.random((len(i), T)) < 0.1, rng.uniform(0, 0.5, (len(i), T)), 0)
        * (rng.random(len(i)) < 0.3)[:, None]
    )
    V[i] = np.round(
        np.where(rng.random(len(i)) < 0.3, np.exp(rng.normal(2, 2, len(i))), 0)[:, None] + np.cumsum(inc, 1), 9
    )
    i = idx("cnt")
    V[i] = np.floor(np.exp(rng.normal(11, 2, len(i))))[:, None] + np.cumsum(
        rng.poisson(np.exp(rng.normal(2.5, 1.5, len(i)))[:, None] * interval / 15, (len(i), T)), 1
    )
    i = idx("cntslow")
    V[i] = np.floor(np.exp(rng.normal(8, 3, len(i))))[:, None] + np.cumsum(
        np.where(rng.random((len(i), T)) < 0.15, rng.poisson(20, (len(i), T)), 0), 1
    )
    i = idx("cntbytes")
    V[i] = np.floor(np.exp(rng.normal(17, 3, len(i))))[:, None] + np.cumsum(
        np.floor(np.exp(rng.normal(8.5, 1.5, len(i)))[:, None] * interval / 15 * rng.uniform(0.3, 1.7, (len(i), T))),
        1,
    )
    i = idx("mem")
    b = np.floor(np.exp(rng.normal(17.5, 1.3, len(i))) / 4096)
    st = np.where(rng.random((len(i), T)) < 0.6, rng.normal(0, 40, (len(i), T)), 0)
    V[i] = np.maximum(0, np.floor(b[:, None] + np.cumsum(st, 1))) * 4096
    i = idx("memslow")
    b = np.floor(np.exp(rng.normal(15, 2, len(i))) / 4096)
    st = np.where(rng.random((len(i), T)) < 0.1, rng.poisson(3, (len(i), T)), 0)
    V[i] = np.floor(b[:, None] + np.cumsum(st, 1)) * 4096
    i = idx("const")
    c = np.array([0.1, 0.25, 0.5, 1, 2, 100000, 1024, 134217728, 268435456, 536870912, 1073741824, 2147483648])
    V[i] = c[rng.integers(0, len(c), len(i))][:, None]
    i = idx("const_t")
    V[i] = (t0 // 1000 - rng.integers(1000, 3000000, len(i)))[:, None]
    i = idx("seen")
    V[i] = (t0 // 1000 + interval * np.arange(T))[None, :]
    i = idx("small")
    b = rng.poisson(14, len(i))
    V[i] = np.maximum(0, b[:, None] + np.where(rng.random((len(i), T)) < 0.15, rng.integers(-2, 3, (len(i), T)), 0))
    i = idx("bool")
    V[i] = (rng.random(len(i)) < 0.3)[:, None]
    i = idx("one")
    V[i] = 1
    return V


def make(nseries, interval, out):
    """Writes OUT.series.arrow (a row a series) and OUT.samples.arrow (rows in the order they come)."""
    S, nnodes, ng, rng = build(nseries)
    n = len(S)
    T = 600 // interval
    t0 = START
    V = values(S, T, interval, rng, t0)
    target = np.array([s[5] for s in S], dtype=np.int32)
    g = np.array([s[4] for s in S])
    order = sorted(range(n), key=lambda i: (S[i][5], S[i][6]))  # exposition order per target
    pos = np.empty(n, np.int64)
    pos[order] = np.arange(n)
    toff = rng.integers(0, interval * 1000, nnodes + 1)  # scrape offset of target, ms
    scrape = t0 + toff[target][:, None] + (np.arange(T) * interval * 1000)[None, :]
    # cAdvisor exposes its own housekeeping timestamp per container and scrape (0..12 s before the scrape)
    hk = rng.integers(0, 12000, (ng, T))
    hk[0] = 0
    ts = scrape - hk[g]
    sid = np.repeat(np.arange(n, dtype=np.int32), T)
    # arrival: by scrape instant of target, then exposition order; 4 remote_write shards interleave batches of 2000
    sc = scrape.ravel()
    o = np.lexsort((pos[sid], sc))
    shard = sid[o].astype(np.int64) * 2654435761 % 4
    seq = np.zeros(len(o), np.int64)
    batchno = np.zeros(len(o), np.int64)
    for s in range(4):
        m = np.flatnonzero(shard == s)
        seq[m] = np.arange(len(m))
        batchno[m] = np.arange(len(m)) // 2000
    # the batch leaves when its last sample was scraped (+ up to 5 s deadline); order batches by that instant
    key = shard * (batchno.max() + 1) + batchno
    last = np.zeros(key.max() + 1, np.int64)
    np.maximum.at(last, key, sc[o])
    sendt = last + 20 + rng.integers(0, 400, len(last))
    o2 = np.lexsort((seq, key, sendt[key]))
    idx = o[o2]
    created = sendt[key][o2]
    created = np.maximum.accumulate(created)
    lab = [gojson(s[2]) for s in S]
    ser = pa.table(
        {
            "metric_name": pa.array([s[0] for s in S]),
            "node_name": pa.array([s[1] for s in S]),
            "labels": pa.array(lab),
        }
    )
    vals = V.ravel()[idx]
    smp = pa.table(
        {
            "sid": pa.array(sid[idx]),
            "timestamp": pa.array(ts.ravel()[idx]),
            "created_at": pa.array(created),
            "value": pa.array(vals),
        }
    )
    u, inv = np.unique(vals.view(np.int64), return_inverse=True)
    us = pa.array([fmt(float(x)) for x in u.view(np.float64)])
    smp = smp.append_column("value_str", us.take(pa.array(inv)))
    for nm, t in (("series", ser), ("samples", smp)):
        with pa.OSFile(f"{out}.{nm}.arrow", "wb") as f, ipc.new_file(f, t.schema) as w:
            w.write_table(t, max_chunksize=65536)


TS = pa.timestamp("ms", tz="UTC")
NAMES = [
    "cluster_name",
    "cloud_account_id",
    "year",
    "month",
    "day",
    "hour",
    "metric_name",
    "node_name",
    "created_at",
    "timestamp",
    "labels",
    "value",
]
_en = re.compile(r'^\{"__name__":"[^"]*",?')


def read(f):
    with pa.OSFile(f) as fh:
        return ipc.open_file(fh).read_all().combine_chunks()


def series_rank(ser, sort):
    lab, met = ser["labels"].to_pylist(), ser["metric_name"].to_pylist()
    key = {"metric": lambda i: (met[i], lab[i]), "entity": lambda i: (_en.sub("{", lab[i]), met[i])}[sort]
    o = sorted(range(len(lab)), key=key)
    r = np.empty(len(lab), np.int64)
    r[o] = np.arange(len(lab))
    return r


def order(sort, ser, smp):
    sid, ts = smp["sid"].to_numpy(), smp["timestamp"].to_numpy()
    if sort == "arrival":
        return np.arange(len(sid))
    return np.lexsort((ts, series_rank(ser, sort)[sid]))


def table(prefix, sort):
    """The twelve columns, with dictionaries of metric_name, node_name and labels (in entity order)."""
    ser, smp = read(prefix + ".series.arrow"), read(prefix + ".samples.arrow")
    smp = smp.take(pa.array(order(sort, ser, smp))).combine_chunks()
    sid = smp["sid"].chunk(0)
    n = len(sid)
    ts = smp["timestamp"].chunk(0)
    c = {}
    c["cluster_name"] = pa.repeat(pa.scalar("prod-us-east-1"), n)
    c["cloud_account_id"] = pa.repeat(pa.scalar("123456789012"), n)
    h, inv = np.unique(ts.to_numpy() // 3600000, return_inverse=True)
    for k, f in (("year", "%Y"), ("month", "%m"), ("day", "%d"), ("hour", "%H")):
        c[k] = pa.array(
            [datetime.datetime.fromtimestamp(int(x) * 3600, datetime.timezone.utc).strftime(f) for x in h]
        ).take(pa.array(inv))
    for k in ("metric_name", "node_name"):
        c[k] = ser[k].chunk(0).take(sid).dictionary_encode()
    for k in ("created_at", "timestamp"):
        c[k] = smp[k].chunk(0).cast(TS)
    o = np.argsort(series_rank(ser, "entity"))
    r = np.empty(len(o), np.int32)
    r[o] = np.arange(len(o), dtype=np.int32)
    c["labels"] = pa.DictionaryArray.from_arrays(
        pa.array(r[sid.to_numpy()]), ser["labels"].chunk(0).take(pa.array(o))
    )
    c["value"] = smp["value_str"].chunk(0)
    return pa.table([c[k] for k in NAMES], schema=pa.schema([pa.field(k, c[k].type, nullable=False) for k in NAMES]))


def write_bin(prefix, sort):
    """Writes PREFIX.SORT.bin, little endian: "PQB1", u32 series; a series: metric_name, node_name, labels, each a u32
    length and bytes; u64 rows; columns u32 series, i64 timestamp, i64 created_at, f64 value.

    SORT: arrival, or metric (metric_name, labels, timestamp).
    """
    ser, smp = read(prefix + ".series.arrow"), read(prefix + ".samples.arrow")
    smp = smp.take(pa.array(order(sort, ser, smp)))
    with open(f"{prefix}.{sort}.bin", "wb") as f:
        f.write(b"PQB1" + len(ser).to_bytes(4, "little"))
        for m, nd, lb in zip(ser["metric_name"].to_pylist(), ser["node_name"].to_pylist(), ser["labels"].to_pylist()):
            for x in (m, nd, lb):
                x = x.encode()
                f.write(len(x).to_bytes(4, "little") + x)
        f.write(len(smp).to_bytes(8, "little"))
        for k, t in (("sid", "<u4"), ("timestamp", "<i8"), ("created_at", "<i8"), ("value", "<f8")):
            f.write(smp[k].to_numpy().astype(t).tobytes())
