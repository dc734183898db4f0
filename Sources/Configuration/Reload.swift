/// What a running service makes of a configuration that was read again.
package struct Reload: Equatable, Sendable {
    /// The settings that hold from now on: of keys that need a restart the old value.
    package let settings: Settings
    /// Paths of the keys that changed and take effect now.
    package let applied: [String]
    /// Paths of the keys that changed and need a restart.
    package let waiting: [String]

    package init(from old: Settings, to new: Settings) {
        var settings = old
        var applied: [String] = []
        var waiting: [String] = []
        // Each has a row only for the one destination; a list is compared as a whole.
        for key in Key.all where !key.path.hasPrefix("destination.") && key.get(old) != key.get(new) {
            switch key.change {
            case .reload:
                key.copy(new, &settings)
                applied.append(key.path)
            case .restart: waiting.append(key.path)
            }
        }
        if old.destinations != new.destinations { waiting.append("destination") }
        (self.settings, self.applied, self.waiting) = (settings, applied, waiting)
    }
}
