internal import Configuration
internal import DiskIO
internal import Ship

/// Files that were delivered and have no local copy any more: told where a command finds none, since that would read as
/// if there had never been one.
struct PurgedFiles {
    private let count: Int
    /// Names in the ledger.
    private let destinations: [String]

    /// nil where none is purged.
    init?(_ rows: [Shipment]) {
        let purged = rows.filter { $0.state == .purged }
        guard !purged.isEmpty else { return nil }
        count = Set(purged.map(\.file)).count
        destinations = Set(purged.map(\.destination)).sorted()
    }

    /// As the ledger has it; nil also where it cannot be read, since the answer at hand does not hang on it.
    static func of(_ layout: VolumeLayout) async -> PurgedFiles? {
        // Without the ledger nobody knows.
        let rows = try? await LedgerCopy.read(layout, PosixFileSystem()) { ledger throws(ShipError) in
            try await ledger.list(.all)
        }
        return rows.flatMap(PurgedFiles.init)
    }

    /// - Parameter settings: of the volume, where they are known: they alone say where a destination is.
    func tell(_ layout: VolumeLayout, _ settings: Settings?) {
        let places = destinations.map { name in
            let one = settings?.destinations.first { $0.name == name }
            return switch one?.kind {
            case .directory: "\(name) (\(one.map { $0.path.isEmpty ? layout.shipped : $0.path } ?? ""))"
            case .s3: "\(name) (s3://\(one?.bucket ?? ""))"
            case .cloudzero, nil: name
            }
        }
        let noun = count == 1 ? "file is" : "files are"
        printNote(
            "czctl: \(HumanText.grouped(count)) \(noun) purged; delivered copies in \(places.joined(separator: ", "))"
                + "; czctl files list --state purged names them")
    }
}
