internal import ArgumentParser
internal import Configuration

/// A length of time on the command line, as the configuration writes it: `2s`, `1m30s`; a bare number is seconds.
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = GoDuration.parse(argument) ?? Int32(argument).map({ .seconds(Int($0)) }) else {
            return nil
        }
        self.init(duration)
    }

    var description: String { GoDuration.format(duration) }
}
