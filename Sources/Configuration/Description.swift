extension Loaded {
    /// A line of `config print`.
    package struct Row: Equatable, Sendable {
        package let key: String
        /// Empty when unset; without passwords.
        package let value: String
        package let origin: String
    }

    /// Every setting as it holds, in the order of the reference page.
    package func describe() -> [Row] {
        var rows: [Row] = []
        var destinationKeys: [Key] = []
        for key in Key.all {
            if hasDestinationList, key.path.hasPrefix("destination.") {
                destinationKeys.append(key)
                continue
            }
            // The list stands where the one destination would.
            rows += destinationRows(destinationKeys)
            destinationKeys = []
            rows.append(row(key, shown: key.path, settings))
        }
        return rows
    }

    private func destinationRows(_ keys: [Key]) -> [Row] {
        guard !keys.isEmpty else { return [] }
        return settings.destinations.enumerated().flatMap { index, destination in
            var scratch = settings
            scratch.destinations = [destination]
            return keys.map {
                row($0, shown: "destinations[\(index)].\($0.path.dropFirst("destination.".count))", scratch)
            }
        }
    }

    private func row(_ key: Key, shown: String, _ settings: Settings) -> Row {
        let text = key.get(settings).map(key.type.format) ?? ""
        return Row(
            key: shown, value: key.isSecret ? withoutUser(text) : text,
            origin: (origins[shown] ?? .default).description)
    }

    /// `http://user:password@host` as `http://***@host`.
    private func withoutUser(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        return url.prefix { $0 != ":" } + "://***" + url[at...]
    }
}
