/// A configuration of the CloudZero agent in the words of this program.
///
/// The keys are the same: what is left to say is which of them no longer do anything, which are unknown here, and which
/// defaults differ from what the agent did. Comments of the file are not kept.
package struct Migration: Sendable {
    /// YAML.
    package let text: String
    /// Keys that are commented out.
    package let droppedCount: Int

    /// Keys that are read and have no effect yet, or none here.
    private static let idle: [String: String] = [
        "organization_id": "accepted, not used",
        "logging.capture": "without effect so far: the log goes to stderr alone",
        "database.compression_level": "without effect: Snappy has no levels",
    ]

    /// Where the agent did other than its documentation said, and this program does not.
    private static let changed: [(path: String, agent: String)] = [
        ("server.reconnect_frequency", "0, never"), ("database.max_records", "1500000"),
        ("database.observability_max_interval", "30m"), ("cloudzero.send_timeout", "10s for all attempts together"),
        ("cloudzero.http_max_retries", "0"), ("cloudzero.http_max_wait", "0s"),
    ]

    /// What the agent asked the cloud for, and this program wants to be told.
    private static let detected = ["cloud_account_id", "region"]

    /// - Throws: what is wrong with the YAML, and where.
    package init(yaml: [UInt8], fileName: String) throws(ConfigurationFaults) {
        let root: YAMLNode?
        do throws(YAMLProblem) {
            let document = try YAMLDocument(yaml)
            if let first = document.problems.first { throw first }
            root = document.root
        } catch {
            throw Self.fault(error.place, error.reason, fileName)
        }
        guard let root, case .map(let entries) = root.content else {
            let place = root?.place ?? .init(line: 1, column: 1)
            throw Self.fault(place, "the file must be a map of keys, not \(root?.noun ?? "nothing")", fileName)
        }
        var writer = MigrationWriter(idle: Self.idle)
        writer.line("# Made of \(fileName.split(separator: "/").last ?? "a file") by czctl config migrate.", 0)
        writer.map(entries, prefix: "", indent: 0)
        for path in Self.detected where !writer.written.contains(path) {
            writer.line("# \(path): VALUE  # required here: the agent asks the cloud for it", 0)
        }
        let silent = Self.changed.filter { !writer.written.contains($0.path) }
        if !silent.isEmpty { writer.line("# Not set above. What the agent does, and what holds here:", 0) }
        for (path, agent) in silent {
            guard let key = Key.named[path], let value = key.get(Settings()) else { continue }
            writer.line("#   \(path): \(agent); here \(key.type.format(value))", 0)
        }
        text = writer.text
        droppedCount = writer.droppedCount
    }

    private static func fault(_ place: YAMLNode.Place, _ reason: String, _ fileName: String) -> ConfigurationFaults {
        var findings = Findings()
        findings.add(
            ConfigurationFault(
                fileName: fileName, origin: .file(line: place.line, column: place.column), path: nil, reason: reason))
        return findings.failure ?? ConfigurationFaults(faults: [], omittedCount: 0)
    }
}

/// Writes a tree as YAML, with a comment behind what does nothing here.
private struct MigrationWriter {
    private let idle: [String: String]
    private(set) var text = ""
    private(set) var droppedCount = 0
    /// Paths of the keys that hold.
    private(set) var written: Set<String> = []

    init(idle: [String: String]) { self.idle = idle }

    mutating func line(_ words: String, _ indent: Int) {
        text += String(repeating: " ", count: indent) + words + "\n"
    }

    mutating func map(_ entries: [YAMLNode.Entry], prefix: String, indent: Int) {
        for entry in entries {
            let path = prefix + entry.name
            if Key.retired.contains(where: { $0.path == path }) {
                drop(entry, indent, "no longer used")
            } else if Key.named[path] != nil || path == "destinations" {
                written.insert(path)
                write(entry, indent, note: idle[path].map { "  # \($0)" } ?? "")
            } else if Key.sections.contains(path), case .map(let inner) = entry.value.content {
                line("\(entry.name):", indent)
                map(inner, prefix: path + ".", indent: indent + 2)
            } else if Key.sections.contains(path), case .null = entry.value.content {
                line("\(entry.name):", indent)
            } else {
                let hint = Loader.suggestion(for: path).map { ": did you mean \($0)?" } ?? ""
                drop(entry, indent, "unknown here\(hint)")
            }
        }
    }

    /// Writes the entry as a comment.
    private mutating func drop(_ entry: YAMLNode.Entry, _ indent: Int, _ reason: String) {
        droppedCount += 1
        var other = MigrationWriter(idle: [:])
        other.write(entry, 0, note: "")
        for (index, words) in other.text.split(separator: "\n").enumerated() {
            line("# \(words)\(index == 0 ? "  # \(reason)" : "")", indent)
        }
    }

    private mutating func write(_ entry: YAMLNode.Entry, _ indent: Int, note: String) {
        let name = Self.scalar(entry.name)
        switch entry.value.content {
        case .null: line("\(name):\(note)", indent)
        case .scalar(let value): line("\(name): \(Self.scalar(value))\(note)", indent)
        case .list(let nodes) where nodes.isEmpty: line("\(name): []\(note)", indent)
        case .map(let entries) where entries.isEmpty: line("\(name): {}\(note)", indent)
        case .list(let nodes):
            line("\(name):\(note)", indent)
            for node in nodes { item(node, indent + 2) }
        case .map(let entries):
            line("\(name):\(note)", indent)
            for entry in entries { write(entry, indent + 2, note: "") }
        }
    }

    private mutating func item(_ node: YAMLNode, _ indent: Int) {
        switch node.content {
        case .null: line("-", indent)
        case .scalar(let value): line("- \(Self.scalar(value))", indent)
        case .list(let nodes):
            line(nodes.isEmpty ? "- []" : "-", indent)
            for node in nodes { item(node, indent + 2) }
        case .map(let entries):
            line(entries.isEmpty ? "- {}" : "-", indent)
            for entry in entries { write(entry, indent + 2, note: "") }
        }
    }

    /// Plain where every reader of YAML takes it for a text or a number as it stands; else in double quotes.
    private static func scalar(_ value: String) -> String {
        let isPlain = { (scalar: Unicode.Scalar) in
            scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789_./".unicodeScalars.contains(scalar))
        }
        let words: Set<String> = ["null", "yes", "no", "on", "off", "y", "n", "true", "false"]
        let isWord = ["true", "false"].contains(value) || !words.contains(value.lowercased())
        // A number with a leading zero, or of account ids' length, would lose digits as one.
        let isShort = value.utf8.count <= 10 && !value.hasPrefix("0") || value == "0" || !value.allSatisfy(\.isNumber)
        if !value.isEmpty, value.unicodeScalars.allSatisfy(isPlain), !value.hasPrefix("."), isWord, isShort {
            return value
        }
        var quoted = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
