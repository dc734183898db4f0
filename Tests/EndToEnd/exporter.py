"""A target that Prometheus scrapes in protobuf: counters with exemplars, gauges, native histograms.

Every value says which scrape it was: what arrives at the end of the chain can be checked against nothing but itself.
"""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNTERS, GAUGES, HISTOGRAMS = 1500, 500, 100
EXEMPLARS = 20  # counters that have one, and as many of the histograms
CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
BUCKETS = 3


def bucket_counts(scrape: int) -> list[int]:
    return [scrape, 2 * scrape, 1]


class Exporter:
    def __init__(self, messages):
        self.messages = messages
        self.scrapes = 0
        self.refused = 0  # asked for in a form without histograms
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if "vnd.google.protobuf" not in self.headers.get("Accept", ""):
                    exporter.refused += 1
                body = exporter.exposition()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()

    def exposition(self) -> bytes:
        self.scrapes += 1
        return b"".join(self.delimited(family) for family in self.families(self.scrapes))

    def delimited(self, family) -> bytes:
        data = family.SerializeToString()
        length, prefix = len(data), bytearray()
        while length >= 0x80:
            prefix.append(length & 0x7F | 0x80)
            length >>= 7
        prefix.append(length)
        return bytes(prefix) + data

    def exemplar(self, into, scrape: int, number: int):
        into.label.add(name="trace_id", value=f"{scrape:08x}{number:08x}")
        into.value = float(scrape)
        into.timestamp.seconds = int(time.time())

    def families(self, scrape: int):
        one = self.messages
        counters = one.MetricFamily(name="synthetic_total", help="A counter of scrapes.", type=one.COUNTER)
        for number in range(COUNTERS):
            metric = counters.metric.add()
            metric.label.add(name="number", value=str(number))
            metric.counter.value = scrape
            if number < EXEMPLARS:
                self.exemplar(metric.counter.exemplar, scrape, number)
        gauges = one.MetricFamily(name="synthetic_gauge", help="A gauge of scrapes.", type=one.GAUGE)
        for number in range(GAUGES):
            metric = gauges.metric.add()
            metric.label.add(name="number", value=str(number))
            metric.gauge.value = scrape + 0.5
        histograms = one.MetricFamily(name="synthetic_seconds", help="A native histogram.", type=one.HISTOGRAM)
        for number in range(HISTOGRAMS):
            metric = histograms.metric.add()
            metric.label.add(name="number", value=str(number))
            counts = bucket_counts(scrape)
            histogram = metric.histogram
            histogram.schema, histogram.zero_threshold, histogram.zero_count = 3, 1e-128, 7
            histogram.positive_span.add(offset=1, length=BUCKETS)
            histogram.positive_delta.extend([counts[0], counts[1] - counts[0], counts[2] - counts[1]])
            histogram.sample_count = sum(counts) + histogram.zero_count
            histogram.sample_sum = float(scrape)
        return counters, gauges, histograms
