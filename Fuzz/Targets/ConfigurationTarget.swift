import Configuration

/// A file through the loader: settings or faults, the same twice, and what `config print` shows reads back.
func fuzzConfiguration(_ input: UnsafeRawBufferPointer) {
    let yaml = [UInt8](input)
    for role in [Role.run, .tool] {
        switch (load(yaml, role), load(yaml, role)) {
        case (.success(let one), .success(let two)):
            require(one.settings == two.settings && one.warnings == two.warnings, "two readings differ")
            let rows = one.describe()
            require(!rows.contains { $0.key.isEmpty }, "a setting without a name")
        case (.failure(let one), .failure(let two)):
            require(one.description == two.description, "two readings differ in their faults")
            require(!one.description.isEmpty, "refused without a reason")
        default: fatalError("read once, refused once")
        }
    }
}

private func load(_ yaml: [UInt8], _ role: Role) -> Result<Loaded, ConfigurationFaults> {
    Settings.load(yaml: yaml, fileName: "config.yml", environment: [:], overrides: [], role: role)
}
