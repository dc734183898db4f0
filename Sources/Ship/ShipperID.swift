internal import Digest
package import DiskIO

/// The volume's name towards the upload API: `<storage_path>/.shipperid`, made once.
package enum ShipperID {
    static let lengthLimit = 253

    /// Reads the id, or, where there is none or an empty file, makes it of `hostName`, else of a random UUID.
    /// - Throws: `.shipperID` when the file holds anything else than `[A-Za-z0-9._-]{1,253}`; `.disk`.
    package static func load(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, hostName: String?
    ) throws(ShipError) -> String {
        let act = "read the shipper id \(layout.shipperID)"
        let stored: String?
        do throws(IOError) {
            stored =
                try fileSystem.exists(layout.shipperID)
                ? String(decoding: try fileSystem.contents(of: layout.shipperID, limit: 4_096), as: UTF8.self).trimmed
                : nil
        } catch {
            throw ShipError(error, act)
        }
        if let stored, !stored.isEmpty {
            guard isValid(stored) else {
                throw ShipError(
                    .shipperID, act, cause: "it holds something else than 1 to \(lengthLimit) of A-Z a-z 0-9 . _ -",
                    advice: "write the volume's old id into it, or remove it")
            }
            return stored
        }
        let id = hostName.flatMap { isValid($0) ? $0 : nil } ?? randomUUID()
        do throws(IOError) { try fileSystem.publish(Array(id.utf8), at: layout.shipperID) } catch {
            throw ShipError(error, "write the shipper id \(layout.shipperID)")
        }
        return id
    }

    /// Version 4 of RFC 9562.
    private static func randomUUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { hex(bytes[$0]) }.joined(separator: "-")
    }

    package static func isValid(_ text: String) -> Bool {
        (1...lengthLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
            }
    }
}
