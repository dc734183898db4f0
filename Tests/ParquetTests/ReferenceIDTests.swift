import Parquet
import Testing

struct ReferenceIDTests {
    private static let hash = "0123456789abcdef0123456789abcdef"

    @Test func roundTrip() throws {
        for kind in ReferenceID.Kind.allCases {
            let text = "\(kind.rawValue)_1782918000000_1782921599999_\(Self.hash).parquet"
            let id = try #require(ReferenceID(text))
            #expect(id.description == text)
            #expect(id.kind == kind)
            #expect(id.minSampleMilliseconds == 1_782_918_000_000)
            #expect(id.maxSampleMilliseconds == 1_782_921_599_999)
            #expect(id.hash == Self.hash)
            #expect(id.hivePartition == "dt=2026-07-01/hr=15")
        }
    }

    @Test(arguments: [
        (-62_135_596_800_000, "dt=0001-01-01/hr=00"), (-1, "dt=1969-12-31/hr=23"), (0, "dt=1970-01-01/hr=00"),
        (951_782_400_000, "dt=2000-02-29/hr=00"), (4_107_542_399_999, "dt=2100-02-28/hr=23"),
        (4_107_542_400_000, "dt=2100-03-01/hr=00"), (253_402_300_799_999, "dt=9999-12-31/hr=23"),
    ])
    func partitions(milliseconds: Int64, partition: String) throws {
        let id = ReferenceID(
            kind: .metrics, minSampleMilliseconds: milliseconds, maxSampleMilliseconds: milliseconds, hash: Self.hash)
        #expect(id.hivePartition == partition)
        #expect(ReferenceID(id.description) == id)
    }

    /// Every part of the grammar broken by itself; `H` stands for the hash.
    @Test(arguments: [
        "", ".parquet", "metrics", "metrics_1_2_.parquet", "metrics_1_2_H", "metrics_1_2_H0.parquet",
        "metrics_+1_2_H.parquet", "metrics_01_2_H.parquet", "metrics_-0_2_H.parquet", "metrics_2_1_H.parquet",
        "metrics__2_H.parquet", "metrics_1_2_3_H.parquet", "Metrics_1_2_H.parquet", "logs_1_2_H.parquet",
        " metrics_1_2_H.parquet", "metrics_1_2_H.parquet.tmp", "metrics_1_2_H.PARQUET", "metrics_1_2_H.parquet\n",
        "../metrics_1_2_H.parquet", "metrics_1_253402300800000_H.parquet", "metrics_-62135596800001_2_H.parquet",
        "metrics_1_99999999999999999999_H.parquet", "metrics_1_2_0123456789abcdef0123456789abcde.parquet",
        "metrics_1_2_0123456789abcdef0123456789abcdeF.parquet",
        "metrics_1_2_0123456789abcdef0123456789abcde\u{FF10}.parquet",
        "metrics_1_2_0123456789abcdef0123456789abcd\u{0}f.parquet",
    ])
    func othersAreRefused(text: String) {
        let filled = text.split(separator: "H", omittingEmptySubsequences: false).joined(separator: Self.hash)
        #expect(ReferenceID(filled) == nil)
    }

    @Test func theGrammarItself() {
        #expect(ReferenceID("metrics_1_2_\(Self.hash).parquet") != nil)
        #expect(ReferenceID("metrics_-2_-1_\(Self.hash).parquet") != nil)
        #expect(ReferenceID("metrics_0_0_\(Self.hash).parquet") != nil)
    }
}

struct CivilTimeTests {
    /// Walks 2400 years day by day against a calendar that only counts.
    @Test func everyDay() {
        var (year, month, day) = (1, 1, 1)
        var milliseconds = CivilTime.range.lowerBound
        while year < 2401 {
            let hour = day % 2 * 23
            let time = CivilTime(milliseconds: milliseconds + Int64(hour) * 3_600_000 + 3_599_999)
            guard (time.year, time.month, time.day, time.hour) == (year, month, day, hour) else {
                Issue.record("\(time) at \(milliseconds)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
            day += 1
            if day > days { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
            milliseconds += 86_400_000
        }
    }

    @Test func extremesDoNotTrap() {
        #expect(CivilTime(milliseconds: .max).year == 292_278_994)
        #expect(CivilTime(milliseconds: .min).month == 5)
        #expect(CivilTime.padded(7, 4) == "0007")
        #expect(CivilTime.padded(12345, 4) == "12345")
    }
}
