import Ship
import Testing

@Suite struct PresignedURLTests {
    static let rule = UploadHostRule(
        patterns: ["*.amazonaws.com", "minio.lab:9000", "10.1.2.3"], allowsHTTP: false)

    static let good = [
        "https://bucket.s3.amazonaws.com/key?X-Amz-Date=20260701T200000Z", "https://S3.AMAZONAWS.COM/k",
        "https://bucket.s3.us-east-1.amazonaws.com:443/k", "https://minio.lab:9000/k?a=b", "https://10.1.2.3/k",
        "https://b.s3.amazonaws.com",
    ]

    static let hostile = [
        "", "https://", "https:///key", "bucket.s3.amazonaws.com/key", "ftp://bucket.s3.amazonaws.com/key",
        "file:///etc/passwd", "http://bucket.s3.amazonaws.com/key", "https://evil.com/k", "https://amazonaws.com/k",
        "https://evilamazonaws.com/k", "https://s3.amazonaws.com.evil.com/k", "https://evil.com/.amazonaws.com",
        "https://evil.com?.amazonaws.com", "https://evil.com#.amazonaws.com", "https://s3.amazonaws.com@evil.com/k",
        "https://user:pass@s3.amazonaws.com/k", "https://evil.com\\.amazonaws.com/k", "https://s3.amazonaws.com/k#f",
        "https://s3.amazonaws.com\t/k", "https://s3.amazonaws.com/k\r\nX: y", "https://s3.amazonaws.com/k\u{0}",
        "https://s3.amazonaws.com/ä", "https://ä.amazonaws.com/", "https://s3%2eamazonaws.com/k",
        "https://s3.amazonaws.com:80/k", "https://s3.amazonaws.com:8443/k", "https://s3.amazonaws.com:0/k",
        "https://s3.amazonaws.com:65536/k", "https://s3.amazonaws.com:+443/k", "https://s3.amazonaws.com:443x/k",
        "https://s3.amazonaws.com:/k", "https://.amazonaws.com/k", "https://a..amazonaws.com/k",
        "https://s3.amazonaws.com./k", "https://127.0.0.1/k", "https://127.1/k", "https://2130706433/k",
        "https://0x7f000001/k", "https://0x7f.0.0.1/k", "https://017700000001/k", "https://169.254.169.254/latest",
        "https://10.0.0.1/k", "https://192.168.1.1/k", "https://[::1]/k", "https://[fd00::1]:443/k", "https://[::1/k",
        "https://[::ffff:127.0.0.1]/k", "https://localhost/k", "https://minio.lab/k", "https://minio.lab:9001/k",
        "https://10.1.2.3:444/k", "https://s3.amazonaws.com_/k", "https://*.amazonaws.com/k", "//s3.amazonaws.com/k",
        "https:/s3.amazonaws.com/k", "https://s3.amazonaws.com/" + String(repeating: "a", count: 9_000),
    ]

    @Test(arguments: good)
    func contacted(_ url: String) throws {
        #expect(try PresignedURL(url, allowedBy: Self.rule).url.text == url)
    }

    @Test(arguments: hostile)
    func refused(_ url: String) {
        #expect(throws: RefusedURL.self) { try PresignedURL(url, allowedBy: Self.rule) }
    }

    @Test func useHTTPRelaxesSchemeAndHost() throws {
        let rule = UploadHostRule(patterns: [], allowsHTTP: true)
        _ = try PresignedURL("http://127.0.0.1:9000/k?a", allowedBy: rule)
        #expect(throws: RefusedURL.self) { try PresignedURL("http://a@127.0.0.1/k", allowedBy: rule) }
    }

    static let expiries: [(String, Int64?)] = [
        ("X-Amz-Date=20260701T200000Z&X-Amz-Expires=600", 1_782_936_600_000),
        ("X-Amz-Expires=600&a=b&X-Amz-Date=20260701T200000Z", 1_782_936_600_000),
        ("x-amz-date=19700101T000000Z&x-amz-expires=1", 1_000),
        ("X-Amz-Date=20240229T235959Z&X-Amz-Expires=0", 1_709_251_199_000),
        ("", nil), ("X-Amz-Date=20260701T200000Z", nil), ("X-Amz-Expires=600", nil),
        ("X-Amz-Date=20260701T200000&X-Amz-Expires=600", nil), ("X-Amz-Date=20261301T200000Z&X-Amz-Expires=600", nil),
        ("X-Amz-Date=2026070AT200000Z&X-Amz-Expires=600", nil), ("X-Amz-Date=20260701T200000Z&X-Amz-Expires=-1", nil),
        ("X-Amz-Date=20260701T200000Z&X-Amz-Expires=99999999999999999999", nil),
        ("X-Amz-Date=20260701T200000Z&X-Amz-Expires=604801", nil), ("X-Amz-Date=20260701T250000Z&X-Amz-Expires=1", nil),
        ("X-Amz-Date=&X-Amz-Expires=", nil), ("&&==&X-Amz-Date", nil),
    ]

    @Test(arguments: expiries)
    func expiry(_ query: String, _ expected: Int64?) {
        #expect(PresignedURL.expiry("https://h/k?" + query) == expected)
    }

    @Test func printsWithoutItsQuery() {
        let url = RedactedURL("https://h/k?X-Amz-Signature=CANARY")
        var dumped = ""
        dump(url, to: &dumped)
        for text in [
            "\(url)", String(describing: url), String(reflecting: url), "\([url])", "\(Optional(url) as Any)", dumped,
        ] {
            #expect(!text.contains("CANARY"), "\(text)")
        }
    }

    static let scrubbed = [
        "could not connect to https://h/k?X-Amz-Signature=CANARY today", "https://h/k?sig=CANARY",
        "query X-Amz-Credential=CANARY&X-Amz-Date=1", "a?Signature=CANARY",
    ]

    @Test(arguments: scrubbed)
    func scrubs(_ text: String) { #expect(!RedactedURL.scrubbed(text).contains("CANARY")) }
}
