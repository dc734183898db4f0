import Glibc
import Samples

/// What one input is given to. A rule that does not hold ends the process, and libFuzzer keeps the input.
private let target: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    switch name {
    case "snappy": return fuzzSnappy
    case "v1": return { fuzzRequest($0, .v1) }
    case "v2": return { fuzzRequest($0, .v2) }
    case "http": return fuzzHTTP
    case "configuration": return fuzzConfiguration
    case "batch": return fuzzBatch
    case "segment": return fuzzSegment
    case "parquet": return fuzzParquet
    default:
        fatalError("FUZZ_TARGET is \"\(name)\": not snappy, v1, v2, http, configuration, batch, segment or parquet")
    }
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

/// Ends the process, in every build, when a rule does not hold.
func require(_ condition: Bool, _ rule: @autoclosure () -> String) {
    if !condition { fatalError(rule()) }
}
