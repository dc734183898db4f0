import Ingest
import Testing

@Suite("Refused requests in the log")
struct RefusalLogTests {
    @Test("the first at once, then one a minute, with those between")
    func pace() {
        var pace = RefusalLog.Pace()
        let said = [0, 1, 30, 59, 60, 61, 200].map { pace.note(at: .seconds(1000 + $0)) }
        #expect(said == [0, nil, nil, nil, 3, nil, 1])
    }
}
