import Metrics
import Testing

@Suite("Quantiles of what was measured")
struct HistogramTests {
    @Test("the bound of the bucket; above every bound the last one, never infinity")
    func quantile() {
        let histogram = Histogram(bounds: [1, 2, 4])
        #expect(histogram.quantile(0.5) == nil)
        for value in [0.5, 1.5, 1.5, 3] { histogram.observe(value) }
        #expect(histogram.quantile(0.25) == 1)
        #expect(histogram.quantile(0.5) == 2)
        #expect(histogram.quantile(0.99) == 4)
        for _ in 0..<100 { histogram.observe(30) }
        #expect(histogram.quantile(0.99) == 4)
    }
}
