/// The names of remote_write's enumerations; a number of a later version is its own name.
package enum MetadataType {
    private static let names = [
        "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset",
    ]

    package static func name(_ number: UInt64) -> String { number < names.count ? names[Int(number)] : "\(number)" }
}

package enum ResetHint {
    private static let names = ["unknown", "yes", "no", "gauge"]

    package static func name(_ number: UInt64) -> String { number < names.count ? names[Int(number)] : "\(number)" }
}
