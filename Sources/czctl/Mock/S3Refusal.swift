internal import Digest
internal import HTTPServer
internal import NIOCore
internal import NIOHTTP1

/// An error answer of S3: a status and its XML.
struct S3Refusal {
    let status: HTTPResponseStatus
    let code: String
    let message: String
    /// Further elements, in order.
    let details: [(String, String)]

    init(_ status: HTTPResponseStatus, _ code: String, _ message: String, details: [(String, String)] = []) {
        self.status = status
        self.code = code
        self.message = message
        self.details = details
    }

    var response: HTTPResponse {
        let elements =
            ([("Code", code), ("Message", message)] + details + [("RequestId", "MOCK"), ("HostId", "mock")])
            .map { "<\($0.0)>\($0.1)</\($0.0)>" }.joined()
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\(elements)</Error>"
        return HTTPResponse(status: status, headers: ["content-type": "application/xml"], body: ByteBuffer(string: xml))
    }
}

extension AWSTimestamp {
    /// `2013-05-24T00:00:00Z`.
    var iso8601: String {
        let digits = Array(text)
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        return "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
    }

    /// `Fri, 24 May 2013 00:00:00 GMT`: the `Date` header (RFC 9110 §5.6.7).
    var httpDate: String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let day = (unixSeconds >= 0 ? unixSeconds : unixSeconds - 86_399) / 86_400
        let fields = iso8601.split { "-T:Z".contains($0) }
        guard fields.count == 6, let month = Int(fields[1]) else { preconditionFailure("six fields by construction") }
        let weekday = days[Int(((day % 7) + 7) % 7)]
        return "\(weekday), \(fields[2]) \(months[month - 1]) \(fields[0]) \(fields[3]):\(fields[4]):\(fields[5]) GMT"
    }
}
