/// Which program the configuration is for.
package enum Role: Sendable {
    case run
    case collector
    /// SERVER_PORT sets its own port.
    case shipper
    /// A command beside the service (`status`, `config print`): keys that only a service needs may be missing.
    case tool
}

/// Settings that work, and what to say about them.
package struct Loaded: Sendable {
    package let settings: Settings
    /// One line each: `config.yml:3:1: sever: unknown key (did you mean server?)`.
    package let warnings: [String]
    let origins: [String: Origin]
    let hasDestinationList: Bool

    /// Whether nobody said where files go.
    package var destinationIsDefault: Bool {
        !hasDestinationList && !["destination.kind", "cloudzero.api_key_path"].contains { origins[$0] != nil }
    }
}

extension Settings {
    /// Defaults, the file, the environment and the overrides, each over the one before.
    ///
    /// - Parameters:
    ///   - yaml: the file's bytes; nil without a file.
    ///   - fileName: how messages name the file.
    ///   - overrides: of flags, in order: a key's path and its value.
    ///   - strict: unknown keys are faults, as in `config check`; the file's own `strict: true` does the same.
    /// - Returns: every fault at once, or the settings.
    package static func load(
        yaml: [UInt8]?, fileName: String, environment: [String: String], overrides: [(key: String, value: String)],
        role: Role, strict: Bool = false
    ) -> Result<Loaded, ConfigurationFaults> {
        var loader = Loader(fileName: yaml == nil ? nil : fileName, role: role)
        var settings = Settings()
        var fileIsReadable = true
        if let yaml {
            do throws(YAMLProblem) {
                let document = try YAMLDocument(yaml)
                for problem in document.problems { loader.fault(at: problem.place, nil, problem.reason) }
                if let root = document.root { loader.readFile(root, into: &settings) }
            } catch {
                fileIsReadable = false
                loader.fault(at: error.place, nil, error.reason)
            }
        }
        loader.readEnvironment(environment, into: &settings)
        loader.readOverrides(overrides, into: &settings)
        loader.settleUnknownKeys(strict: strict || settings.strict)
        // What an unreadable file would have set is not missing.
        if fileIsReadable { loader.check(&settings, environment: environment) }
        if let failure = loader.findings.failure { return .failure(failure) }
        return .success(
            Loaded(
                settings: settings, warnings: loader.findings.warningLines, origins: loader.origins,
                hasDestinationList: loader.hasDestinationList))
    }
}

extension Loader {
    fileprivate mutating func readEnvironment(_ environment: [String: String], into settings: inout Settings) {
        for key in Key.all {
            let isSet = { (name: String) in !(environment[name] ?? "").isEmpty }
            guard let name = variables(of: key).first(where: isSet), let text = environment[name] else { continue }
            guard !refusesDestination(key) else {
                findings.add(finding(.environment(name), key.path, Self.eitherOr))
                continue
            }
            if name == "HOST", case .file = origins[key.path] {
                let advice = "overrules the file; shells set HOST too: unset it, or use CLOUDZERO_HOST"
                findings.warn(finding(.environment(name), key.path, advice))
            }
            assign(text, to: key, shown: key.path, from: .environment(name), into: &settings)
        }
        for (path, name) in Key.retired {
            if let name, environment[name] != nil { retired(path, at: .environment(name)) }
        }
    }

    /// SERVER_PORT sets the port of whichever service is started.
    private func variables(of key: Key) -> [String] {
        switch (key.path, role) {
        case ("server.port", .shipper): []
        case ("server.shipper_port", .shipper): key.environmentNames + ["SERVER_PORT"]
        default: key.environmentNames
        }
    }

    fileprivate mutating func readOverrides(_ overrides: [(key: String, value: String)], into settings: inout Settings)
    {
        for (path, text) in overrides {
            if let key = Key.named[path] {
                guard !refusesDestination(key) else {
                    findings.add(finding(.flag, path, Self.eitherOr))
                    continue
                }
                assign(text, to: key, shown: path, from: .flag, into: &settings)
            } else if Key.retired.contains(where: { $0.path == path }) {
                retired(path, at: .flag)
            } else {
                let hint = Self.suggestion(for: path).map { " (did you mean \($0)?)" } ?? ""
                findings.add(finding(.flag, nil, "\(quoted(path)) is no key\(hint)"))
            }
        }
    }

    static let eitherOr = "sets the one destination, but the file has a list of them in destinations"

    private func refusesDestination(_ key: Key) -> Bool { hasDestinationList && key.path.hasPrefix("destination.") }
}
