/// A file that is at a bucket in part: what an attempt needs to go on where another one ended.
struct PartialUpload: Sendable, Equatable {
    var file: String
    var uploadID: String
    var key: String
    var partByteCount: UInt64
    /// By part number, from 1.
    var etags: [Int: String]
}

extension Ledger {
    func partialUpload(_ file: String, _ destination: String) throws(ShipError) -> PartialUpload? {
        try partialUploads("WHERE file = ? AND destination = ?", [.text(file), .text(destination)], destination).first
    }

    /// Uploads whose files are not sent to `destination` any more.
    func orphanedUploads(_ destination: String) throws(ShipError) -> [PartialUpload] {
        try partialUploads(
            """
            WHERE destination = ?1 AND file NOT IN (SELECT file FROM shipment WHERE destination = ?1
            AND state IN ('discovered', 'allocated', 'uploading', 'failed'))
            """, [.text(destination)], destination)
    }

    private func partialUploads(
        _ condition: String, _ values: [SQLValue], _ destination: String
    ) throws(ShipError) -> [PartialUpload] {
        var query = try connection.prepare(
            "SELECT file, upload_id, object_key, part_bytes FROM multipart \(condition) ORDER BY file")
        try query.bind(values)
        var found: [PartialUpload] = []
        while try query.step() {
            found.append(
                PartialUpload(
                    file: query.text(0), uploadID: query.text(1), key: query.text(2),
                    partByteCount: UInt64(clamping: query.integer(3)), etags: [:]))
        }
        for index in found.indices {
            var parts = try connection.prepare(
                "SELECT number, etag FROM multipart_part WHERE file = ? AND destination = ?")
            try parts.bind([.text(found[index].file), .text(destination)])
            while try parts.step() { found[index].etags[Int(parts.integer(0))] = parts.text(1) }
        }
        return found
    }

    /// Instead of an upload that could not be aborted, with its parts.
    func begin(_ upload: PartialUpload, _ destination: String, at now: Int64) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            try forgetParts(upload.file, destination)
            try connection.run(
                "INSERT INTO multipart VALUES (?, ?, ?, ?, ?, ?)", .text(upload.file), .text(destination),
                .text(upload.uploadID), .text(upload.key), .integer(Int64(clamping: upload.partByteCount)),
                .integer(now))
        }
    }

    func addPart(_ number: Int, etag: String, of file: String, _ destination: String) throws(ShipError) {
        try connection.run(
            "INSERT OR REPLACE INTO multipart_part VALUES (?, ?, ?, ?)", .text(file), .text(destination),
            .integer(Int64(number)), .text(etag))
    }

    func forget(_ file: String, _ destination: String) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in try forgetParts(file, destination) }
    }

    /// In a transaction.
    func forgetParts(_ file: String, _ destination: String) throws(ShipError) {
        for table in ["multipart_part", "multipart"] {
            try connection.run(
                "DELETE FROM \(table) WHERE file = ? AND destination = ?", .text(file), .text(destination))
        }
    }
}
