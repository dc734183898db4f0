internal import DiskIO
internal import Glibc
internal import Metrics

/// What every program of the field says of its process, by the usual names, and which build it is.
enum ProcessMetrics {
    static func register(_ environment: ServiceEnvironment) {
        let registry = environment.registry
        registry.gauge(
            "cirrus_build_info", "1, with the version as labels.",
            ["version": Version.number, "revision": Version.build]
        ).set(1)
        let startedAt = Double(environment.clocks.wallMilliseconds()) / 1000
        registry.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.") { startedAt }
        registry.counter("process_cpu_seconds_total", "User and system time.") { cpuSeconds }
        registry.gauge("process_resident_memory_bytes", "Memory in RAM.") { residentBytes }
        registry.gauge("process_virtual_memory_bytes", "Address space.") { memoryBytes(field: 0) }
        registry.gauge("process_open_fds", "File descriptors open.") { openFiles }
        registry.gauge("process_max_fds", "File descriptors that may be open.") { fileLimit }
    }

    private static var cpuSeconds: Double {
        var usage = rusage()
        // SAFETY: getrusage fills the struct it is given.
        guard unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return 0 }
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
    }

    static var residentBytes: Double { memoryBytes(field: 1) }

    /// Of `/proc/self/statm`, whose numbers are pages: 0 size, 1 resident.
    private static func memoryBytes(field: Int) -> Double {
        // Without /proc nobody can know: 0.
        guard let text = HostFile.text("/proc/self/statm") else { return 0 }
        let fields = text.split(separator: " ")
        guard field < fields.count, let pages = Double(fields[field]) else { return 0 }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The listing's own descriptor is not counted.
    static var openFiles: Double {
        // Without /proc nobody can know: 0.
        Double(max(0, HostFile.names("/proc/self/fd").count - 1))
    }

    private static var fileLimit: Double {
        var limit = rlimit()
        // SAFETY: getrlimit fills the struct it is given.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return Double(limit.rlim_cur)
    }
}
