/// One series as cAdvisor or kube-state-metrics would expose it: about 13 labels.
struct KubernetesSeries: Sendable {
    private enum Source { case cAdvisor, stateMetrics }

    private enum Shape: Sendable {
        /// Grows by this much a second.
        case counter(perSecond: Double)
        /// Wanders by an eighth around this, in whole multiples of `grain`.
        case gauge(around: Double, grain: Double)
        case constant(Double)
    }

    private struct Metric {
        var name: String
        var source: Source
        var shape: Shape
        /// What only this metric has.
        var labels: [(String, String)] = []
    }

    private static let metrics = [
        Metric(
            name: "container_cpu_usage_seconds_total", source: .cAdvisor, shape: .counter(perSecond: 0.35),
            labels: [("cpu", "total")]),
        Metric(
            name: "container_memory_working_set_bytes", source: .cAdvisor, shape: .gauge(around: 4e8, grain: 4096)),
        Metric(
            name: "container_network_receive_bytes_total", source: .cAdvisor, shape: .counter(perSecond: 21_000),
            labels: [("interface", "eth0")]),
        Metric(
            name: "container_network_transmit_bytes_total", source: .cAdvisor, shape: .counter(perSecond: 9_000),
            labels: [("interface", "eth0")]),
        Metric(
            name: "kube_pod_container_resource_requests", source: .stateMetrics, shape: .constant(0.25),
            labels: [("resource", "cpu"), ("unit", "core")]),
        Metric(
            name: "kube_pod_container_resource_limits", source: .stateMetrics, shape: .constant(536_870_912),
            labels: [("resource", "memory"), ("unit", "byte")]),
        Metric(name: "kube_pod_info", source: .stateMetrics, shape: .constant(1)),
        Metric(
            name: "kube_pod_labels", source: .stateMetrics, shape: .constant(1),
            labels: [("label_app", "checkout"), ("label_team", "payments")]),
    ]

    private static let applications = [
        "checkout", "catalog", "ledger", "search", "ingress", "mailer", "auth", "reports",
    ]
    private static let zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
    private static let podsPerNode = 30
    /// 2026-01-01T00:00:00Z: counters start here, so that their values stay of a believable size.
    private static let origin: Int64 = 1_767_225_600_000

    /// Sorted by name, `__name__` among them.
    let labels: [(name: String, value: String)]
    private let shape: Shape
    private let seed: UInt64

    /// The metrics of pod 0 come first, then those of pod 1.
    init(index: Int, seed: UInt64) {
        let metric = Self.metrics[index % Self.metrics.count]
        let pod = index / Self.metrics.count
        labels = Self.labels(metric, pod: pod, seed: seed).sorted { $0.0 < $1.0 }
        shape = metric.shape
        self.seed = mix(seed, UInt64(index), 1)
    }

    func value(at timestamp: Int64) -> Double {
        let seconds = Double(max(0, timestamp - Self.origin)) / 1000
        switch shape {
        case .counter(let perSecond):
            // Between half and three halves of the rate; the noise is under a second's growth, so it never falls.
            let rate = perSecond * (0.5 + unit(mix(seed, 2, 0)))
            return rate * seconds + rate * 0.9 * unit(mix(seed, 3, UInt64(bitPattern: timestamp / 1000)))
        case .gauge(let around, let grain):
            // From one point to the next in a straight line, a point every 5 minutes.
            let step = UInt64(seconds / 300)
            let from = unit(mix(seed, 4, step))
            let to = unit(mix(seed, 4, step + 1))
            let part = seconds / 300 - Double(step)
            let value = around * (0.875 + 0.25 * (from + (to - from) * part))
            return (value / grain).rounded() * grain
        case .constant(let value): return value
        }
    }

    private func unit(_ bits: UInt64) -> Double { Double(bits >> 11) / 9_007_199_254_740_992 }

    private static func labels(_ metric: Metric, pod: Int, seed: UInt64) -> [(String, String)] {
        let application = applications[pod % applications.count]
        let node = "ip-10-0-\(pod / podsPerNode / 250)-\(pod / podsPerNode % 250 + 1).ec2.internal"
        let uid = mix(seed, UInt64(pod), 7)
        let suffix = String(uid % 60_466_176, radix: 36)
        let common = [
            ("__name__", metric.name), ("namespace", "\(application)-prod"), ("node", node),
            ("pod", "\(application)-\(String(uid >> 32, radix: 16))-\(suffix)"), ("container", application),
        ]
        switch metric.source {
        case .cAdvisor:
            let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(String(uid, radix: 16)).slice"
            return common + metric.labels + [
                ("id", slice), ("image", "registry.example.com/\(application):v1.\(pod % 9).\(uid % 20)"),
                ("instance", node), ("job", "cadvisor"), ("kubernetes_io_arch", "amd64"), ("kubernetes_io_os", "linux"),
                ("name", String(mix(uid, 0, 1), radix: 16) + String(mix(uid, 0, 2), radix: 16)),
                ("topology_kubernetes_io_zone", zones[pod / podsPerNode % zones.count]),
            ]
        case .stateMetrics:
            return common + metric.labels + [
                ("app_kubernetes_io_component", "metrics"), ("app_kubernetes_io_name", "kube-state-metrics"),
                ("app_kubernetes_io_version", "2.13.0"), ("instance", "10.0.0.7:8080"), ("job", "kube-state-metrics"),
                ("service", "kube-state-metrics"), ("uid", "\(String(uid, radix: 16))-\(pod)"),
            ]
        }
    }
}
