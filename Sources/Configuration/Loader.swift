/// Reads the sources one after the other into `Settings`; keeps where each value came from and what is wrong.
struct Loader {
    /// Bytes of one value at most.
    static let valueByteLimit = 16 << 10
    static let listLimit = 1000

    let fileName: String?
    let role: Role
    var findings = Findings()
    /// By the path that `config print` shows: `destinations[0].kind` too.
    var origins: [String: Origin] = [:]
    /// `destinations:` was given, which rules `destination:` out.
    var hasDestinationList = false
    /// Filters with `match: regex`, of all lists.
    var regexCount = 0
    /// Faults or warnings, which `strict` decides in the end.
    private var unknownKeys: [ConfigurationFault] = []
    private var omittedUnknownKeys = 0

    init(fileName: String?, role: Role) {
        self.fileName = fileName
        self.role = role
    }

    mutating func readFile(_ root: YAMLNode, into settings: inout Settings) {
        switch root.content {
        case .null: break
        case .map(let entries): readMap(entries, prefix: "", shownPrefix: "", into: &settings)
        case .scalar, .list: fault(at: root.place, nil, "the file must be a map of keys, not \(root.noun)")
        }
    }

    /// - Parameters:
    ///   - prefix: what leads to these keys in the table, with its point.
    ///   - shownPrefix: the same as the file has it.
    private mutating func readMap(
        _ entries: [YAMLNode.Entry], prefix: String, shownPrefix: String, into settings: inout Settings
    ) {
        for entry in entries {
            let path = prefix + entry.name
            let shown = shownPrefix + entry.name
            if entry.name.contains(".") {
                unknown(shown, at: origin(entry.place), hint: "write it as nested maps, without points")
            } else if let key = Key.named[path] {
                read(entry.value, as: key, shown: shown, into: &settings)
            } else if path == "destinations" {
                readDestinations(entry, into: &settings)
            } else if Key.retired.contains(where: { $0.path == path }) {
                retired(path, at: origin(entry.place))
            } else if Key.sections.contains(path) {
                switch entry.value.content {
                case .null: break
                case .map(let inner): readMap(inner, prefix: path + ".", shownPrefix: shown + ".", into: &settings)
                case .scalar, .list:
                    fault(at: entry.value.place, shown, "must be a map of keys, not \(entry.value.noun)")
                }
            } else {
                unknown(shown, at: origin(entry.place), hint: Self.suggestion(for: path).map { "did you mean \($0)?" })
            }
        }
    }

    /// Each element is read as if it were the `destination:` map, into settings of its own.
    private mutating func readDestinations(_ entry: YAMLNode.Entry, into settings: inout Settings) {
        if case .null = entry.value.content { return }
        guard case .list(let nodes) = entry.value.content, !nodes.isEmpty, nodes.count <= 16 else {
            return fault(at: entry.value.place, "destinations", "must be a list of 1 to 16 maps")
        }
        hasDestinationList = true
        settings.destinations = []
        for (index, node) in nodes.enumerated() {
            let shown = "destinations[\(index)]"
            origins[shown] = origin(node.place)
            var scratch = Settings()
            if case .map(let entries) = node.content {
                readMap(entries, prefix: "destination.", shownPrefix: shown + ".", into: &scratch)
            } else {
                fault(at: node.place, shown, "must be a map of keys, not \(node.noun)")
            }
            settings.destinations.append(scratch.destinations[0])
        }
    }

    private mutating func read(_ node: YAMLNode, as key: Key, shown: String, into settings: inout Settings) {
        switch (node.content, key.type) {
        case (.null, _): break
        case (.scalar(let text), _): assign(text, to: key, shown: shown, from: origin(node.place), into: &settings)
        case (.list(let nodes), .texts(let form)):
            guard let texts = readTexts(nodes, form, shown: shown) else { return }
            key.set(&settings, .texts(texts))
            origins[shown] = origin(node.place)
        case (.list(let nodes), .filters):
            guard let filters = readFilters(nodes, shown: shown) else { return }
            key.set(&settings, .filters(filters))
            origins[shown] = origin(node.place)
        case (.list, _), (.map, _): fault(at: node.place, shown, "must be \(key.type.noun), not \(node.noun)")
        }
    }

    /// An empty text is as good as none: charts render what is unset so.
    mutating func assign(
        _ text: String, to key: Key, shown: String, from origin: Origin, into settings: inout Settings
    ) {
        let trimmed = text[...].trimmed
        if trimmed.isEmpty { return }
        guard trimmed.utf8.count <= Self.valueByteLimit else {
            return findings.add(finding(origin, shown, "the value is longer than \(Self.valueByteLimit) bytes"))
        }
        do throws(ValueProblem) {
            key.set(&settings, try key.type.read(trimmed))
            origins[shown] = origin
        } catch {
            findings.add(finding(origin, shown, "\(key.isSecret ? "the value" : quoted(error.value)) \(error.reason)"))
        }
    }

    private mutating func readTexts(_ nodes: [YAMLNode], _ form: TextForm, shown: String) -> [String]? {
        var texts: [String] = []
        for node in nodes.prefix(Self.listLimit) {
            guard case .scalar(let text) = node.content, text.utf8.count <= Self.valueByteLimit else {
                fault(at: node.place, shown, "must be a list of short texts")
                continue
            }
            do throws(ValueProblem) {
                texts.append(try form.read(text))
            } catch {
                fault(at: node.place, shown, "\(quoted(error.value)) \(error.reason)")
            }
        }
        if nodes.count > Self.listLimit { fault(at: nodes[0].place, shown, "has more than \(Self.listLimit) elements") }
        return texts.count == nodes.count ? texts : nil
    }

    mutating func fault(at place: YAMLNode.Place, _ path: String?, _ reason: String) {
        findings.add(finding(origin(place), path, reason))
    }

    func finding(_ origin: Origin, _ path: String?, _ reason: String) -> ConfigurationFault {
        ConfigurationFault(fileName: fileName, origin: origin, path: path, reason: reason)
    }

    func origin(_ place: YAMLNode.Place) -> Origin { .file(line: place.line, column: place.column) }

    mutating func retired(_ path: String, at origin: Origin) {
        findings.warn(finding(origin, path, "no longer used"))
    }

    mutating func unknown(_ shown: String, at origin: Origin, hint: @autoclosure () -> String?) {
        guard unknownKeys.count < Findings.listLimit else {
            omittedUnknownKeys += 1
            return
        }
        let name = shown.utf8.count > 80 || shown.utf8.contains { $0 < 0x20 } ? quoted(shown) : shown
        unknownKeys.append(finding(origin, name, "unknown key\(hint().map { " (\($0))" } ?? "")"))
    }

    /// The key that an unknown path was probably meant to be: a neighbour, else one of the same name elsewhere.
    static func suggestion(for path: String) -> String? {
        guard path.utf8.count <= 128 else { return nil }
        let parent = path.split(separator: ".").dropLast().joined(separator: ".")
        let prefix = parent.isEmpty ? "" : parent + "."
        let name = String(path.dropFirst(prefix.count))
        let paths = Key.all.map(\.path) + Key.sections.sorted()
        let neighbours = paths.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains(".") }
        if let found = nearest(to: name, among: neighbours.map { String($0.dropFirst(prefix.count)) }) {
            return prefix + found
        }
        return paths.first { $0.hasSuffix("." + name) }
    }

    /// To be called once, after all sources.
    mutating func settleUnknownKeys(strict: Bool) {
        for unknown in unknownKeys {
            if strict { findings.add(unknown) } else { findings.warn(unknown) }
        }
        findings.omit(omittedUnknownKeys, asFaults: strict)
        unknownKeys = []
    }
}

extension ValueType {
    /// For "must be ...".
    fileprivate var noun: String {
        switch self {
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .duration: "a duration"
        case .size: "a size"
        case .choice(let words, _): "one of \(words.joined(separator: ", "))"
        case .text(let form): "a \(form.noun)"
        case .texts: "a list"
        case .filters: "a list of {pattern, match}"
        }
    }
}
