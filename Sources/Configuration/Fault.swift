/// Where a value was given.
package enum Origin: Equatable, Sendable, CustomStringConvertible {
    /// Line and column count from 1.
    case file(line: Int, column: Int)
    case environment(String)
    case flag
    case `default`

    package var description: String {
        switch self {
        case .file(let line, _): "file:\(line)"
        case .environment(let name): "env \(name)"
        case .flag: "flag"
        case .default: "default"
        }
    }
}

/// One thing that is wrong, or worth a warning, and where.
package struct ConfigurationFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's name; nil without a file.
    package let fileName: String?
    /// `.default`: no place has it, as with a required key that is missing.
    package let origin: Origin
    /// The key, or nil for the file as a whole.
    package let path: String?
    package let reason: String

    /// `config.yml:14:18: cloudzero.send_interval: "10 minutes" is not a duration (try 10m)`
    package var description: String {
        let place =
            switch origin {
            case .file(let line, let column): "\(fileName ?? "configuration"):\(line):\(column)"
            case .environment(let name): "env \(name)"
            case .flag: "flag"
            case .default: fileName ?? "configuration"
            }
        return "\(place): \(path.map { $0 + ": " } ?? "")\(reason)"
    }

    /// The file from top to bottom, the environment, the flags, what is missing.
    fileprivate var order: (Int, Int, Int) {
        switch origin {
        case .file(let line, let column): (0, line, column)
        case .environment: (1, 0, 0)
        case .flag: (2, 0, 0)
        case .default: (3, 0, 0)
        }
    }
}

/// Everything that is wrong with a configuration, at once.
package struct ConfigurationFaults: Error, Equatable, Sendable, CustomStringConvertible {
    /// In reading order, `listLimit` at most.
    package let faults: [ConfigurationFault]
    /// Faults beyond those.
    package let omittedCount: Int

    package var description: String {
        var lines = faults.map(\.description)
        if omittedCount > 0 { lines.append("and \(omittedCount) more") }
        return lines.joined(separator: "\n")
    }
}

/// Faults and warnings while they are found.
struct Findings {
    static let listLimit = 100

    private(set) var faults: [ConfigurationFault] = []
    private var omittedCount = 0
    private(set) var warnings: [ConfigurationFault] = []
    private var omittedWarningCount = 0

    /// nil while nothing is wrong.
    var failure: ConfigurationFaults? {
        guard !faults.isEmpty else { return nil }
        // The index keeps equal places in the order they were found.
        let sorted = faults.enumerated().sorted { a, b in
            a.element.order == b.element.order ? a.offset < b.offset : a.element.order < b.element.order
        }
        return ConfigurationFaults(faults: sorted.map(\.element), omittedCount: omittedCount)
    }

    var warningLines: [String] {
        warnings.map(\.description) + (omittedWarningCount > 0 ? ["and \(omittedWarningCount) more warnings"] : [])
    }

    mutating func add(_ fault: ConfigurationFault) {
        if faults.count < Self.listLimit { faults.append(fault) } else { omittedCount += 1 }
    }

    /// Counts `count` more that are not listed.
    mutating func omit(_ count: Int, asFaults: Bool) {
        if asFaults { omittedCount += count } else { omittedWarningCount += count }
    }

    mutating func warn(_ warning: ConfigurationFault) {
        if warnings.count < Self.listLimit { warnings.append(warning) } else { omittedWarningCount += 1 }
    }
}

/// `text` in double quotes, on one line, 80 characters at most.
func quoted(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(80) {
        let isPlain =
            scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar.value != 0x2028
            && scalar.value != 0x2029
        shown += isPlain && scalar != "\"" ? String(scalar) : scalar.escaped(asASCII: true)
    }
    return "\"\(shown)\(text.unicodeScalars.count > 80 ? "..." : "")\""
}
