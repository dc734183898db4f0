internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Ship

/// `czctl doctor`.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Find out what is wrong, cause first, and what to do next",
        discussion: """
            Looks, in this order, at: config, volume, disk, lock, port, tls, log, ledger, destination, proxy, api, \
            clock, key, bucket, files, service. Works beside a running service and on a stopped volume; changes \
            nothing and sends no samples: the upload API is asked for what reads only. Run it as the service's user \
            (in its container), or permissions are not those of the service.

            --fix makes a missing storage directory, gives its owner back what the mode of a file of ours denies, and, \
            when nothing else is wrong, puts failed files back in the queue. Nothing is ever removed.

            Exit codes: 0 nothing wrong (there may be warnings), 3 something is.

            Examples:
              czctl doctor --config config.yml
              czctl doctor --config config.yml --only disk --only key
              czctl doctor --config config.yml -o json | jq -r '.checks[] | select(.state == "fail") | .text'
            """)

    @OptionGroup var service: ServiceOptions

    @Option(help: "The storage path of the volume, if not the configuration's.")
    var data: String?

    @Option(help: "Which service the configuration is for: run, collector or shipper.")
    var role = ServiceRole.run

    @Option(help: "Only this check; repeatable.")
    var only: [DoctorCheck] = []

    @Flag(help: "Put right what can safely be.")
    var fix = false

    @Option(help: "How long a server may take to answer.")
    var timeout = DurationArgument(.seconds(10))

    @OptionGroup var options: OutputOptions

    func validate() throws {
        guard (.milliseconds(100) ... .seconds(600)).contains(timeout.duration) else {
            throw ValidationError("--timeout must be from 100ms to 10m")
        }
    }

    private struct Answer: Encodable {
        let schema = "czctl.doctor/v1"
        let checks: [Finding]
        let failures: Int
        let warnings: Int
        let skipped: Int
    }

    func run() async throws {
        var doctor = Doctor(
            role: role, data: data, timeout: timeout.duration, fixes: fix, wanted: only.isEmpty ? nil : Set(only))
        await doctor.examine(service)
        let shown = doctor.diagnosis.findings.filter { only.isEmpty || only.contains($0.check) }
        func count(_ state: Finding.State) -> Int { shown.count { $0.state == state } }
        let failures = count(.fail)
        switch options.output {
        case .table:
            for finding in shown { print(options.paint.first(Self.text(finding))) }
            func plural(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
            print("\(plural(failures, "failure")), \(plural(count(.warn), "warning")), \(count(.skip)) skipped")
        case .json:
            print(
                try options.encoded(
                    Answer(checks: shown, failures: failures, warnings: count(.warn), skipped: count(.skip))))
        }
        if failures > 0 { throw ExitCode(ExitStatus.findings.rawValue) }
    }

    /// `FAIL  key          <text>`, and what to do on the next line.
    static func text(_ finding: Finding) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        let state = finding.state == .fail ? "FAIL" : finding.state.rawValue
        let line = padded(state, 7) + padded(finding.check.rawValue, 13) + finding.text
        return line + (finding.advice.map { "\n       Try: \($0)" } ?? "")
    }
}

/// Looks at one installation.
struct Doctor: Sendable {
    let role: ServiceRole
    /// Instead of the configuration's storage path.
    let data: String?
    let timeout: Duration
    let fixes: Bool
    /// nil: all.
    let wanted: Set<DoctorCheck>?
    let fileSystem = PosixFileSystem()
    var diagnosis = Diagnosis()
    /// How the shipper reaches the outside.
    var network = NetworkOptions()
    /// Destinations of kind s3, by name, as the shipper has them.
    var buckets: [String: S3Options] = [:]

    func wants(_ checks: DoctorCheck...) -> Bool { wanted.map { !$0.isDisjoint(with: checks) } ?? true }

    mutating func examine(_ options: ServiceOptions) async {
        let (settings, isGiven) = readConfiguration(options)
        guard let path = data ?? settings?.database.storagePath else {
            return diagnosis.skip(
                .volume, .disk, .lock, .port, .tls, .log, .ledger, .destination, .proxy, .api, .clock, .key, .bucket,
                .files, .service, needs: .config)
        }
        checkVolume(path)
        var live: [LiveStatus] = []
        var backlog: Backlog?
        if diagnosis.hasFailed(.volume) {
            diagnosis.skip(.disk, .lock, .log, .ledger, .files, .service, needs: .volume)
        } else {
            let layout = VolumeLayout(root: RealPath.of(path) ?? path)
            live = await LiveServices.ask(layout)
            checkDisk(layout, settings)
            checkLocks(layout, settings, isGiven: isGiven, live)
        }
        if let settings, isGiven {
            checkPorts(settings, live)
            checkAccessFiles(settings)
        } else {
            diagnosis.skip(.port, .tls, needs: .config)
        }
        if !diagnosis.hasFailed(.volume) {
            let layout = VolumeLayout(root: RealPath.of(path) ?? path)
            checkLog(layout)
            backlog = await checkLedger(layout)
        }
        if !role.ships {
            for check in [DoctorCheck.destination, .proxy, .api, .clock, .key, .bucket] {
                diagnosis.add(check, .skip, "the shipper's: czctl doctor --role shipper")
            }
        } else if let settings, isGiven {
            await checkDestinations(settings)
        } else {
            diagnosis.skip(.destination, .proxy, .api, .clock, .key, .bucket, needs: .config)
        }
        if !diagnosis.hasFailed(.volume) {
            let layout = VolumeLayout(root: RealPath.of(path) ?? path)
            await checkFiles(layout, backlog)
            checkServices(layout, live)
        }
    }

    /// The settings, and whether anybody gave them; nil when they cannot be used.
    private mutating func readConfiguration(_ options: ServiceOptions) -> (Settings?, isGiven: Bool) {
        do {
            var options = options
            if options.config == nil, data == nil, HostFile.exists(ConfigurationFile.usualPath) {
                options.config = ConfigurationFile.usualPath
            }
            guard options.config != nil || !options.overrides.isEmpty else {
                diagnosis.add(.config, .skip, "no --config FILE: only the volume is looked at")
                return (try ConfigurationFile.load(nil, role: .tool).settings, false)
            }
            let loaded = try options.read(role.configurationRole)
            for warning in loaded.warnings { diagnosis.add(.config, .warn, warning) }
            let environment = try ServiceEnvironment(settings: loaded.settings, role: "doctor", component: role)
            try environment.refuseUnsupported()
            network = environment.networkOptions
            for case .s3(let options) in environment.shipOptions().destinations { buckets[options.name] = options }
            diagnosis.add(.config, .ok, options.config ?? "given by --set")
            return (loaded.settings, true)
        } catch let failure as CommandFailure {
            diagnosis.add(.config, .fail, failure.message, try: failure.advice)
        } catch {
            diagnosis.add(.config, .fail, "cannot use the configuration: \(error)")
        }
        return (nil, false)
    }
}
