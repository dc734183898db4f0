internal import ArgumentParser

/// What `czctl doctor` looks at, in this order: a cause stands before what follows from it.
enum DoctorCheck: String, ExpressibleByArgument, CaseIterable, Encodable, Sendable {
    /// The configuration, and what this version does not support of it.
    case config
    /// The storage path: that it is there, and may be written.
    case volume
    /// Room for the log.
    case disk
    /// Who holds the volume.
    case lock
    /// The ports to listen at.
    case port
    /// Certificates, keys and credentials of our ports.
    case tls
    /// Segments and manifests.
    case log
    case ledger
    /// Directories that files are copied to.
    case destination
    /// Between us and the upload API.
    case proxy
    /// That the upload API answers.
    case api
    /// This machine's against the server's.
    case clock
    /// The upload API's key.
    case key
    /// Buckets: name, region, permission.
    case bucket
    /// Files that failed or were set aside.
    case files
    /// What the running services say of themselves.
    case service
}

/// One line of `czctl doctor`.
struct Finding: Encodable, Equatable, Sendable {
    enum State: String, Encodable, Sendable {
        case ok
        /// Was wrong, and was put right by `--fix`.
        case fixed
        case warn, fail
        /// Could not be looked at, or is not asked for by the configuration.
        case skip
    }

    let check: DoctorCheck
    let state: State
    let text: String
    /// The next command to run, or a few words.
    let advice: String?
}

/// Findings in the order they were made.
struct Diagnosis: Sendable {
    private(set) var findings: [Finding] = []

    mutating func add(_ check: DoctorCheck, _ state: Finding.State, _ text: String, try advice: String? = nil) {
        findings.append(Finding(check: check, state: state, text: HumanText.line(text), advice: advice))
    }

    mutating func skip(_ checks: DoctorCheck..., needs cause: DoctorCheck) {
        for check in checks { add(check, .skip, "needs \(cause.rawValue)") }
    }

    func hasFailed(_ check: DoctorCheck) -> Bool { findings.contains { $0.check == check && $0.state == .fail } }

    func count(_ state: Finding.State) -> Int { findings.reduce(0) { $0 + ($1.state == state ? 1 : 0) } }
}
