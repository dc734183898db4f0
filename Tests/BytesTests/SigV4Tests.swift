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
