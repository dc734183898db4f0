internal import DiskIO
internal import Metrics
internal import WAL

/// What `czctl top` shows.
struct TopView: Sendable {
    /// `czctl.top/v1`.
    struct Answer: Encodable, Sendable {
        let schema = "czctl.top/v1"
        let time: String
        /// Between the last two looks, as the latencies; nil when no collector runs, those also when nothing came.
        let samplesPerSecond: Double?
        let requestP50Seconds: Double?
        let requestP99Seconds: Double?
        let fsyncP99Seconds: Double?
        let logRows: Int64
        let unsentFiles: Int64
        let unsentBytes: Int64
        let freeBytes: UInt64?
        /// Of the last minute, as far as it was watched; most samples first.
        let metrics: [MetricRates.Rate]
    }

    private let target: ServiceTarget
    private let clocks = Clocks.system
    /// nil where only a port is asked, which gives out no log.
    private var follower: LogFollower?
    private var rates = MetricRates(span: .seconds(60))
    private let start: Duration
    private var status: StatusText?
    /// Why the last look had no answer, after one that had: a service that starts again is looked at again.
    private(set) var trouble: String?
    /// Counts of one process, which begins anew with another.
    private var before: (at: Duration, pid: Int32, intake: StatusReport.Intake)?
    private var samplesPerSecond: Double?
    private var p50: Double?
    private var p99: Double?

    init(_ target: ServiceTarget) throws {
        self.target = target
        if case .volume(let layout) = target { follower = try LogFollower(layout, in: PosixFileSystem()) }
        start = Clocks.system.uptime()
    }

    /// - Throws: what the first look threw, and later what is not over by itself.
    mutating func look() async throws {
        let now = clocks.uptime()
        (samplesPerSecond, p50, p99, trouble) = (nil, nil, nil, nil)
        let status: StatusText
        do {
            status = try await target.status()
        } catch let failure as CommandFailure where self.status != nil && failure.status == .temporary {
            trouble = HumanText.line(failure.message)
            return
        }
        self.status = status
        if let intake = status.report.intake,
            let pid = status.report.services.first(where: { $0.role != ServiceRole.shipper.rawValue })?.pid
        {
            // In containers all have one pid: a count that fell is another process's, too.
            if let (at, earlierPID, earlier) = before, earlierPID == pid, now > at,
                intake.samplesReceived >= earlier.samplesReceived
            {
                let received = Double(intake.samplesReceived) - Double(earlier.samplesReceived)
                samplesPerSecond = received / (now - at).inSeconds
                if let latency = intake.requestLatency, let earlier = earlier.requestLatency {
                    p50 = latency.quantile(0.5, since: earlier)
                    p99 = latency.quantile(0.99, since: earlier)
                }
            }
            before = (now, pid, intake)
        }
        guard var follower else { return }
        var rates = rates
        rates.startLook(at: now)
        try follower.look(
            onSegment: { _ in rates.startSegment() }, onBatch: { batch, _, isNew in rates.add(batch, isNew: isNew) })
        (self.rates, self.follower) = (rates, follower)
    }

    func answer(_ metricLimit: Int) -> Answer? {
        guard let status else { return nil }
        return Answer(
            time: status.report.time, samplesPerSecond: samplesPerSecond,
            requestP50Seconds: p50, requestP99Seconds: p99, fsyncP99Seconds: status.report.log.recentFsyncP99Seconds,
            logRows: Int64(clamping: status.report.log.rows),
            unsentFiles: status.report.unsent.files, unsentBytes: status.report.unsent.bytes,
            freeBytes: status.report.disk?.freeBytes, metrics: rates.top(metricLimit))
    }

    /// The screen, with as many metrics as there are, at most `metricLimit`.
    func lines(_ metricLimit: Int) -> [String] {
        guard let status else { return [] }
        if let trouble { return ["NOW        \(trouble)"] }
        var parts = [samplesPerSecond.map { "\(HumanText.grouped(HumanText.whole($0))) samples/s" } ?? "no rate yet"]
        if let p50 { parts.append("p50 \(HumanText.latency(seconds: p50))") }
        if let p99 { parts.append("p99 \(HumanText.latency(seconds: p99))") }
        if status.report.intake == nil { parts = ["no collector runs"] }
        var lines = ["NOW        " + parts.joined(separator: "   "), ""]
        lines += status.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard follower != nil else { return lines }
        let watched = min(60, max(1, (clocks.uptime() - start).inSeconds))
        var table = TextTable(("METRIC", .left), ("SAMPLES/S", .right), ("SAMPLES", .right))
        for rate in rates.top(metricLimit) {
            table.add([
                HumanText.line(rate.metric, limit: 100), HumanText.decimal(Double(rate.samples) / watched),
                HumanText.grouped(rate.samples),
            ])
        }
        return lines + [""] + table.text.split(separator: "\n").map(String.init)
    }
}
