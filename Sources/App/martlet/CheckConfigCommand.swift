import ArgumentParser
import MartletServer
import MartletWire

struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check all settings and show them as they are in effect, without secrets.")

    @OptionGroup var options: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let configuration = try await options.load()
        for warning in configuration.warnings { Terminal.complain(warning) }
        if output.json {
            Terminal.print { object in
                for entry in configuration.entries { object.field(entry.key, RawJSON(entry.json)) }
            }
        } else {
            // Lines that a configuration file may hold.
            for entry in configuration.entries where entry.value != .none {
                Terminal.print("\(entry.key): \(String(decoding: entry.json, as: UTF8.self))")
            }
        }
    }
}

extension ConfigurationEntry {
    /// The value as JSON, which is YAML as well.
    fileprivate var json: [UInt8] {
        if isSecret, value != .none { return JSONWriter.encode("(redacted)") }
        return switch value {
        case .none: Array("null".utf8)
        case .text(let text): JSONWriter.encode(text)
        case .integer(let number): JSONWriter.encode(number)
        case .number(let number): Array("\(number)".utf8)
        case .flag(let flag): JSONWriter.encode(flag)
        case .list(let items): JSONWriter.encode(items)
        }
    }
}
