internal import Bytes
internal import Digest
internal import HTTPServer
internal import NIOCore
internal import NIOHTTP1

/// The page at `/` for a browser: what `/api/v1/status` says, asked again every two seconds. Read-only, one answer,
/// nothing from elsewhere.
enum StatusPage {
    static let response: HTTPResponse = {
        let page = PackageResources.StatusPage_html
        return HTTPResponse(
            status: .ok,
            headers: [
                "content-type": "text/html; charset=utf-8", "cache-control": "no-store",
                "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
                "content-security-policy": policy(of: String(decoding: page, as: UTF8.self)),
            ],
            body: ByteBuffer(bytes: page))
    }()

    /// Only the page's own script and style, by their hashes, and only this host's status.
    private static func policy(of page: String) -> String {
        "default-src 'none'; script-src 'sha256-\(hash(of: "script", in: page))'; "
            + "style-src 'sha256-\(hash(of: "style", in: page))'; connect-src 'self'; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'none'"
    }

    private static func hash(of element: String, in page: String) -> String {
        guard let start = page.firstRange(of: "<\(element)>"), let end = page.firstRange(of: "</\(element)>") else {
            return ""  // the page is blocked: test_status_page.py shows it
        }
        let digest = Digest.of(Array(page[start.upperBound..<end.lowerBound].utf8), .sha256)
        return String(decoding: base64(digest), as: UTF8.self)
    }
}
