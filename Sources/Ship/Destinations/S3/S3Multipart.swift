internal import Bytes
internal import Digest
internal import DiskIO
internal import Logging

/// A file cut into parts, each with its digests.
struct FileParts: Sendable {
    struct Part: Sendable {
        /// From 1.
        let number: Int
        let offset: UInt64
        let witness: FileWitness
    }

    let parts: [Part]
    /// Of the whole file, read in the same pass.
    let sha256: String

    /// S3's limit.
    static let countLimit: UInt64 = 10_000

    /// The size of every part but the last: at least `wanted`, and as large as it takes.
    static func byteCount(of file: UInt64, wanted: UInt64) -> UInt64 {
        max(wanted, (file + countLimit - 1) / countLimit)
    }

    init(_ path: String, byteCount: UInt64, _ fileSystem: any FileSystem) throws(IOError) {
        var parts: [Part] = []
        let current = RunningWitness()
        var offset: UInt64 = 0
        let whole = try FileWitness.read(path, in: fileSystem) { (chunk, _) throws(IOError) in
            var rest = chunk[...]
            while !rest.isEmpty {
                let taken = rest.prefix(Int(byteCount - current.byteCount))
                current.update(Array(taken))
                rest = rest.dropFirst(taken.count)
                guard current.byteCount == byteCount else { continue }
                parts.append(Part(number: parts.count + 1, offset: offset, witness: current.finish()))
                offset += byteCount
            }
        }
        if current.byteCount > 0 {
            parts.append(Part(number: parts.count + 1, offset: offset, witness: current.finish()))
        }
        self.parts = parts
        sha256 = whole.sha256
    }

    /// What S3 answers as the ETag of an object made of these parts.
    var etag: String {
        let digests = parts.flatMap { hexDecoded($0.witness.md5) ?? [] }
        return "\(hex(Digest.of(digests, .md5)))-\(parts.count)"
    }
}

extension UInt8 {
    /// Letters, digits, `-`, `_`, `.`.
    fileprivate var isETagByte: Bool {
        (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self) || self == 45 || self == 46
            || self == 95
    }
}

extension S3Sender {
    /// Sends a large file in parts. What was sent is in the ledger: a later attempt, also of another process, goes on
    /// from there. An attempt that cannot succeed aborts, so that the bucket does not keep (and bill) the parts.
    func sendParts(_ row: Shipment, _ key: String, path: String, _ witness: FileWitness) async throws -> Receipt {
        let size = FileParts.byteCount(of: witness.byteCount, wanted: options.partByteCount)
        let file = try FileParts(path, byteCount: size, context.fileSystem)
        guard file.sha256 == witness.sha256 else {
            throw S3Stop(.damaged(ShipFailure(.fileRead, "\(path) changed while it was read")))
        }
        var upload = try await context.ledger.partialUpload(row.file, name)
        // Parts of a compressed copy fit together only when one library made all of them.
        if let old = upload, old.key != key || old.partByteCount != size || compression != nil {
            try await abort(old)
            upload = nil
        }
        let current: PartialUpload
        if let upload { current = upload } else { current = try await begin(row, key, size) }
        do {
            return try await finish(current, file, path: path, witness)
        } catch let stop as S3Stop {
            if case .failed = stop.outcome { try await abort(current) }
            throw stop
        }
    }

    private func begin(_ row: Shipment, _ key: String, _ size: UInt64) async throws -> PartialUpload {
        if row.attempts > 1 { try await abortStrays(key, row.file) }
        let request = S3Request(.post, key, query: [("uploads", "")], headers: objectHeaders)
        let response = try await exchange(request.withBytes([]), accepting: [])
        let id = ServerWords.between("<UploadId>", "</UploadId>", String(decoding: response.body, as: UTF8.self))
        guard !id.isEmpty, id.utf8.count <= 1_024, id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw S3Stop(.again(ShipFailure(.invalidBody, "\(options.bucket) gave no upload id"), after: nil))
        }
        let upload = PartialUpload(file: row.file, uploadID: id, key: key, partByteCount: size, etags: [:])
        try await context.ledger.begin(upload, name, at: context.now)
        return upload
    }

    private func finish(
        _ upload: PartialUpload, _ file: FileParts, path: String, _ witness: FileWitness
    ) async throws -> Receipt {
        var etags = upload.etags
        for part in file.parts where etags[part.number] == nil {
            let query = [(name: "partNumber", value: "\(part.number)"), (name: "uploadId", value: upload.uploadID)]
            let request = S3Request(.put, upload.key, query: query)
            let response = try await exchange(
                request.withFile(path, offset: part.offset, part.witness), accepting: [404])
            guard response.status != 404 else { return try await completedBefore(upload, file, witness) }
            guard case .uploaded(let receipt) = judge(response, md5: part.witness.md5) else {
                throw S3Stop(judge(response, md5: part.witness.md5))
            }
            let etag = receipt.etag ?? part.witness.md5
            // It goes into XML.
            guard etag.utf8.allSatisfy({ $0.isETagByte }) else {
                throw S3Stop(.again(ShipFailure(.invalidBody, "\(options.bucket) gave an odd ETag"), after: nil))
            }
            etags[part.number] = etag
            try await context.ledger.addPart(part.number, etag: etag, of: upload.file, name)
        }
        return try await complete(upload, etags, file, witness)
    }

    private func complete(
        _ upload: PartialUpload, _ etags: [Int: String], _ file: FileParts, _ witness: FileWitness
    ) async throws -> Receipt {
        let parts = etags.sorted { $0.key < $1.key }.map { number, etag in
            "<Part><PartNumber>\(number)</PartNumber><ETag>&quot;\(etag)&quot;</ETag></Part>"
        }
        let body = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let request = S3Request(.post, upload.key, query: [("uploadId", upload.uploadID)], headers: onceHeaders)
        let response = try await exchange(request.withBytes(Array(body.utf8)), accepting: [404, 412])
        if response.status == 412 {
            // Something has the key: this file, sent whole or in parts, or another one.
            let receipt = try await existing(upload.key, etags: [file.etag, witness.md5], witness.byteCount)
            try await abort(upload)
            return receipt
        }
        guard response.status == 200 else { return try await completedBefore(upload, file, witness) }
        let text = String(decoding: response.body, as: UTF8.self)
        // S3 answers 200 before it knows the end.
        guard text.contains("<CompleteMultipartUploadResult") else {
            let words = ServerWords(HTTPResponse(status: 500, headers: [:], body: response.body))
            let failure = ShipFailure(
                .httpRequestFailed, "\(options.bucket) could not put the parts together\(words.suffix)")
            throw S3Stop(.again(failure, after: nil))
        }
        let etag = AnswerRules.plainETag(
            ServerWords.between("<ETag>", "</ETag>", text).replacing("&quot;", with: "").replacing("&#34;", with: ""))
        guard !AnswerRules.looksLikeDigest(etag) || AnswerRules.hidesDigest(response) || etag.lowercased() == file.etag
        else {
            let text = "\(options.bucket) put other bytes together: ETag \(etag), expected \(file.etag)"
            try await abort(upload)
            throw S3Stop(.again(ShipFailure(.httpUnknown, text), after: nil))
        }
        var receipt = AnswerRules.receipt(response)
        receipt.etag = etag.isEmpty ? nil : String(etag.prefix(100))
        return receipt
    }

    /// The upload is gone from the server: an earlier attempt completed it and did not see the answer, or it was
    /// aborted by others; then the next attempt begins anew.
    private func completedBefore(
        _ upload: PartialUpload, _ file: FileParts, _ witness: FileWitness
    ) async throws -> Receipt {
        let response = try await exchange(S3Request(.head, upload.key), accepting: [404])
        let etag = response.headers["etag"].map(AnswerRules.plainETag)
        if response.status == 200, response.headers["content-length"] == "\(witness.byteCount)",
            etag?.lowercased() == file.etag || AnswerRules.hidesDigest(response)
        {
            return AnswerRules.receipt(response)
        }
        try await context.ledger.forget(upload.file, name)
        let failure = ShipFailure(.httpUnknown, "the parts of \(upload.file) are gone from \(options.bucket)")
        throw S3Stop(.again(failure, after: nil))
    }

    /// Tells the server to drop the parts. A failure leaves the row: `abortOrphans` tries again.
    private func abort(_ upload: PartialUpload) async throws {
        let request = S3Request(.delete, upload.key, query: [("uploadId", upload.uploadID)])
        do throws(S3Stop) { _ = try await exchange(request, accepting: [404]) } catch {
            context.logger.warning("cannot drop an unfinished upload yet", metadata: ["file": "\(upload.file)"])
            return
        }
        try await context.ledger.forget(upload.file, name)
    }

    /// Drops uploads of `key` that an earlier attempt began before it died and the ledger knew nothing of. The key's
    /// last part is the file's name: nobody else's are touched, whatever the server lists.
    private func abortStrays(_ key: String, _ file: String) async throws {
        let response: HTTPResponse
        do throws(S3Stop) {
            let request = S3Request(.get, "", query: [("prefix", key), ("uploads", "")])
            response = try await exchange(request, accepting: [])
        } catch {
            // It may not be allowed; the bucket's lifecycle rule takes what is left.
            context.logger.warning("cannot look for unfinished uploads", metadata: ["file": "\(file)"])
            return
        }
        let name = key.split(separator: "/").last.map(String.init) ?? key
        var rest = String(decoding: response.body, as: UTF8.self)[...]
        while let mark = rest.firstRange(of: "<Upload>") {
            rest = rest[mark.upperBound...]
            let upload = String(rest[..<(rest.firstRange(of: "<Upload>")?.lowerBound ?? rest.endIndex)])
            let found = ServerWords.between("<Key>", "</Key>", upload)
            let id = ServerWords.between("<UploadId>", "</UploadId>", upload)
            guard found == name || found.hasSuffix("/" + name), !id.isEmpty else { continue }
            let request = S3Request(.delete, key, query: [("uploadId", id)])
            do throws(S3Stop) { _ = try await exchange(request, accepting: [404]) } catch {
                context.logger.warning("cannot drop an unfinished upload", metadata: ["file": "\(file)"])
            }
        }
    }

    /// Parts of files that are not sent any more: abandoned or quarantined.
    func abortOrphans(_ cycle: Cycle) async throws {
        for upload in try await context.ledger.orphanedUploads(name) where context.mayBegin(cycle.start) {
            try await abort(upload)
        }
    }
}
