import Digest
import Testing

struct SigV4Tests {
    /// The example of "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference.
    @Test func presignsTheExampleAWSPublished() {
        let signer = SigV4(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1")
        let request = SigV4.Request(
            method: "GET", path: "/test.txt", headers: [(name: "host", value: "examplebucket.s3.amazonaws.com")])
        let target = signer.presignedTarget(request, at: AWSTimestamp(unixSeconds: 1_369_353_600), expiresIn: 86_400)
        #expect(
            target == "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    }

    struct HeaderExample: Sendable, CustomTestStringConvertible {
        let method: String
        let path: String
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body = ""
        let signature: String
        var testDescription: String { "\(method) \(path)" }
    }

    /// The examples of "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference.
    @Test(arguments: [
        HeaderExample(
            method: "GET", path: "/test.txt", headers: [("range", "bytes=0-9")],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        HeaderExample(
            method: "PUT", path: "/test$file.text",
            headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            body: "Welcome to Amazon S3.",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        HeaderExample(
            method: "GET", path: "/", query: [("lifecycle", "")],
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        HeaderExample(
            method: "GET", path: "/", query: [("max-keys", "2"), ("prefix", "J")],
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ])
    func signsTheExamplesAWSPublished(example: HeaderExample) {
        let signer = SigV4(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1")
        let payload = hex(Digest.of(Array(example.body.utf8), .sha256))
        let request = SigV4.Request(
            method: example.method, path: example.path, query: example.query,
            headers: example.headers + [
                ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", payload),
                ("x-amz-date", "20130524T000000Z"),
            ])
        let value = signer.authorization(
            of: request, payload: payload, at: AWSTimestamp(unixSeconds: 1_369_353_600))
        #expect(value.hasSuffix(", Signature=\(example.signature)"))
        #expect(
            value.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="))
    }

    @Test func hexGoesBack() {
        #expect(hexDecoded("00ff7A") == [0, 255, 0x7A] && hexDecoded("") == [])
        #expect(hexDecoded("0") == nil && hexDecoded("0g") == nil)
    }

    @Test(arguments: [
        (0, "19700101T000000Z"), (-1, "19691231T235959Z"), (951_782_400, "20000229T000000Z"),
        (1_709_251_199, "20240229T235959Z"), (4_107_542_400, "21000301T000000Z"), (253_402_300_799, "99991231T235959Z"),
        (-62_167_219_200, "00000101T000000Z"),
    ])
    func timestampGoesBothWays(seconds: Int64, text: String) {
        #expect(AWSTimestamp(unixSeconds: seconds).text == text)
        #expect(AWSTimestamp(text)?.unixSeconds == seconds)
    }

    @Test(arguments: [
        "", "20130524T000000", "20130524 000000Z", "20130524T000000+", "20130230T000000Z", "21000229T000000Z",
        "20131301T000000Z", "20130100T000000Z", "20130524T240000Z", "20130524T006000Z", "20130524T000060Z",
        "2013052４T000000Z", "-0130524T000000Z",
    ])
    func badTimestampIsRefused(text: String) { #expect(AWSTimestamp(text) == nil) }

    @Test func outOfRangeClockIsHeld() {
        #expect(AWSTimestamp(unixSeconds: .max).text == "99991231T235959Z")
        #expect(AWSTimestamp(unixSeconds: .min).text == "00000101T000000Z")
    }

    @Test(arguments: [("a b/c~é+=", "a%20b%2Fc~%C3%A9%2B%3D"), ("", "")])
    func percentEncodingGoesBothWays(text: String, encoded: String) {
        #expect(percentEncoded(text) == encoded)
        #expect(percentDecoded(encoded) == text)
    }

    @Test func slashMayStay() { #expect(percentEncoded("/a b/c", keepingSlash: true) == "/a%20b/c") }

    @Test func plusIsASpaceInForms() {
        #expect(percentDecoded("a+b%2B", form: true) == "a b+")
        #expect(percentDecoded("a+b") == "a+b")
    }

    @Test(arguments: ["%", "%4", "%zz", "a%", "%ff"])
    func badEscapeIsRefused(text: String) { #expect(percentDecoded(text) == nil) }
}
