/// One row of the ledger: one file on its way to one destination.
package struct Shipment: Sendable, Equatable {
    /// The file's name, which is its reference id.
    package var file: String
    package var destination: String
    package var state: ShipmentState
    package var byteCount: Int64
    /// 64 hex digits, once the file was read whole.
    package var sha256: String?
    /// Of the footer; nil when it could not be read.
    package var rowCount: Int64?
    /// PUTs or copies begun.
    package var attempts: Int
    /// Times in a row it became `failed`: what the back-off grows with.
    package var failures: Int
    /// Not tried before this, in milliseconds since 1970.
    package var notBeforeMilliseconds: Int64
    package var lastError: RecordedError?
    package var url: RedactedURL?
    package var urlExpiresMilliseconds: Int64?
    /// Where the last URL pointed, without its query. Stays when the URL is wiped.
    package var objectURL: String?
    package var receipt: Receipt?
    package var discoveredMilliseconds: Int64
    package var changedMilliseconds: Int64
    package var uploadedMilliseconds: Int64?

    /// The columns, in the order `init(_:)` reads them.
    static let columns = """
        file, destination, state, bytes, sha256, rows, attempts, failures, not_before_ms, error_code, error, error_ms, \
        url, url_expires_ms, receipt_status, receipt_etag, receipt_request_id, receipt_date, \
        discovered_ms, changed_ms, uploaded_ms, object_url
        """

    init(_ row: borrowing Statement) throws(ShipError) {
        file = row.text(0)
        destination = row.text(1)
        guard let state = ShipmentState(rawValue: row.text(2)) else {
            throw ShipError(
                .damagedLedger, "read the ledger's row of \(row.text(0))", cause: "unknown state \"\(row.text(2))\"",
                advice: "restart the shipper with the program that wrote it")
        }
        self.state = state
        byteCount = row.integer(3)
        sha256 = row.optionalText(4)
        rowCount = row.optionalInteger(5)
        attempts = Int(row.integer(6))
        failures = Int(row.integer(7))
        notBeforeMilliseconds = row.integer(8)
        lastError = row.optionalText(9).map {
            RecordedError(code: $0, text: row.text(10), atMilliseconds: row.integer(11))
        }
        url = row.optionalText(12).map { RedactedURL($0) }
        urlExpiresMilliseconds = row.optionalInteger(13)
        receipt = row.optionalInteger(14).map {
            Receipt(
                status: Int($0), etag: row.optionalText(15), requestID: row.optionalText(16),
                serverDate: row.optionalText(17))
        }
        discoveredMilliseconds = row.integer(18)
        changedMilliseconds = row.integer(19)
        uploadedMilliseconds = row.optionalInteger(20)
        objectURL = row.optionalText(21)
    }
}

/// What a destination answered to an upload. A directory answers nothing: its status is 0.
package struct Receipt: Sendable, Equatable {
    package var status: Int
    package var etag: String?
    package var requestID: String?
    package var serverDate: String?

    package init(status: Int, etag: String?, requestID: String?, serverDate: String?) {
        self.status = status
        self.etag = etag
        self.requestID = requestID
        self.serverDate = serverDate
    }

    package static let local = Receipt(status: 0, etag: nil, requestID: nil, serverDate: nil)
}

/// An error as the ledger keeps it.
package struct RecordedError: Sendable, Equatable {
    /// A `ShipErrorCode`.
    package var code: String
    package var text: String
    package var atMilliseconds: Int64

    package init(code: String, text: String, atMilliseconds: Int64) {
        self.code = code
        self.text = text
        self.atMilliseconds = atMilliseconds
    }
}

/// A file found in a directory, as the ledger takes it in.
package struct FoundFile: Sendable, Equatable {
    package var name: String
    /// Smallest sample time: the oldest data goes first.
    package var sampleMilliseconds: Int64
    package var byteCount: Int64
    package var rowCount: Int64?

    package init(name: String, sampleMilliseconds: Int64, byteCount: Int64, rowCount: Int64?) {
        self.name = name
        self.sampleMilliseconds = sampleMilliseconds
        self.byteCount = byteCount
        self.rowCount = rowCount
    }
}

/// One move in a file's history.
package struct HistoryEntry: Sendable, Equatable {
    package var atMilliseconds: Int64
    package var from: String?
    package var to: String
    package var detail: String
}

/// Sums of one destination.
package struct DestinationSummary: Sendable, Equatable {
    package var name: String
    /// Ever delivered, also files whose local copies are purged.
    package var filesUploaded: Int64
    package var bytesUploaded: Int64
    package var rowsUploaded: Int64
    package var lastSuccessMilliseconds: Int64?
    package var lastError: RecordedError?
}

/// Sums of one state at one destination.
package struct StateCount: Sendable, Equatable {
    package var destination: String
    package var state: ShipmentState
    package var files: Int64
    package var bytes: Int64
    /// Samples; histograms, exemplars and metadata, which not every destination takes, are not counted.
    package var rows: Int64
}

/// What is not yet at every destination; a file is counted once, however many destinations wait for it.
package struct UnsentSummary: Sendable, Equatable {
    package var files: Int64
    package var bytes: Int64
    package var rows: Int64
    package var oldestDiscoveredMilliseconds: Int64?
    /// Of `files`, those that no destination takes: no cycle will send them.
    package var untakenFiles: Int64 = 0

    package init(files: Int64, bytes: Int64, rows: Int64, oldestDiscoveredMilliseconds: Int64? = nil) {
        self.files = files
        self.bytes = bytes
        self.rows = rows
        self.oldestDiscoveredMilliseconds = oldestDiscoveredMilliseconds
    }
}
