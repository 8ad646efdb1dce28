import MartletAccounts
import MartletCore
import MartletGateway
import MartletServer
import MartletWire
import Testing

@Suite struct DialectConfigurationTests {
    private func load(
        file: String = "{}", _ change: (inout ConfigurationFlags) -> Void = { _ in }
    ) async throws -> ServerConfiguration {
        var flags = ConfigurationFlags()
        let folder = try Folder()
        defer { withExtendedLifetime(folder) {} }
        flags.config = try folder.write("martlet.yaml", file)
        change(&flags)
        return try await ServerConfiguration.load(flags, environment: [:])
    }

    private func refusal(file: String) async -> String? {
        let refused = await #expect(throws: OperatorFailure.self) { try await load(file: file) }
        return refused?.message
    }

    @Test func allAreOffByDefault() async throws {
        let configuration = try await load()
        #expect(!configuration.dialects.goWebSocket.isEnabled)
        #expect(!configuration.dialects.goWebSocket.isOpen)
        #expect(configuration.dialects.clusterChat.ports.isEmpty)
        #expect(configuration.accounts.apps == [AppID(unchecked: 1)])
    }

    @Test func aDemoSpeaksThem() async throws {
        let configuration = try await load { $0.demo = true }
        #expect(configuration.dialects.goWebSocket.isEnabled)
        #expect(configuration.dialects.goWebSocket.isOpen)
        #expect(configuration.accounts.apps.map(\.value) == [1, 101, 102, 103, 104])
        let ports = configuration.dialects.clusterChat.ports
        #expect(ports.map(\.port) == [6000, 6002])
        #expect(ports.map(\.numbering) == [.seed, .course])
        #expect(configuration.dialects.clusterChat.takesAnyPort)
    }

    @Test func aDemoOnAFreePortTakesFreePorts() async throws {
        let configuration = try await load {
            $0.demo = true
            $0.port = 0
        }
        #expect(configuration.dialects.clusterChat.ports.map(\.port) == [0, 0])
    }

    @Test func whatIsAskedForIsWhatADemoGets() async throws {
        let configuration = try await load(file: "gowebsocket:\n  enabled: false\n  open: false\n") {
            $0.demo = true
            $0.clusterchatPort = "7001"
        }
        #expect(!configuration.dialects.goWebSocket.isEnabled)
        #expect(!configuration.dialects.goWebSocket.isOpen)
        #expect(configuration.dialects.clusterChat.ports.map(\.port) == [7001])
        #expect(!configuration.dialects.clusterChat.takesAnyPort)
    }

    @Test func readsPortsAndNumberingsInPairs() async throws {
        let configuration = try await load {
            $0.clusterchatPort = "6000,6001"
            $0.clusterchatNumbering = "course,seed"
        }
        let ports = configuration.dialects.clusterChat.ports
        #expect(ports.map(\.port) == [6000, 6001])
        #expect(ports.map(\.numbering) == [.course, .seed])
    }

    @Test func aSingleItemNeedsNoList() async throws {
        let file = "clusterchat:\n  port: 6000\n  numbering: course\n  pace: 0\n  sign-in-timeout: 30\n"
        let configuration = try await load(file: file)
        let clusterChat = configuration.dialects.clusterChat
        #expect(clusterChat.ports.map(\.port) == [6000])
        #expect(clusterChat.ports.map(\.numbering) == [.course])
        #expect(clusterChat.pace == .zero)
        #expect(clusterChat.signInTimeout == .seconds(30))
    }

    @Test func roomsAreAppsOfTheServer() async throws {
        let file = "accounts:\n  apps: [7, 8]\ngowebsocket:\n  enabled: true\n  rooms: [8, 9]\n"
        let configuration = try await load(file: file)
        #expect(configuration.accounts.apps.map(\.value) == [7, 8, 9])
        #expect(configuration.dialects.clusterChat.app.value == 7)
    }

    @Test(arguments: [
        ("clusterchat:\n  port: [6000, 6001]\n  numbering: [seed]\n", "clusterchat.numbering"),
        ("clusterchat:\n  numbering: [seed]\n", "clusterchat.numbering"),
        ("clusterchat:\n  port: [6000]\n  numbering: [other]\n", "clusterchat.numbering"),
        ("clusterchat:\n  port: [66000]\n", "clusterchat.port"),
        ("clusterchat:\n  port: [six]\n", "clusterchat.port"),
        ("clusterchat:\n  port: [6000]\n  app: 5\n", "clusterchat.app"),
        ("clusterchat:\n  pace: 1001\n", "clusterchat.pace"),
        ("clusterchat:\n  sign-in-timeout: 0\n", "clusterchat.sign-in-timeout"),
        ("clusterchat:\n  port: [6000]\n  proxy-protocol: true\n", "clusterchat.proxy-protocol"),
        ("gowebsocket:\n  enabled: true\n  rooms: []\n", "gowebsocket.rooms"),
        ("gowebsocket:\n  enabled: maybe\n", "gowebsocket.enabled"),
        ("gowebsocket:\n  rooms: [0]\n", "gowebsocket.rooms"),
    ])
    func refusesWhatDoesNotFit(_ file: String, _ key: String) async {
        #expect(await refusal(file: file)?.hasPrefix(key) == true)
    }

    @Test func proxiesOfStreamsAreSetApart() async throws {
        let file = "api:\n  trusted-proxies: [127.0.0.1]\nclusterchat:\n  port: 6000\n  proxy-protocol: true\n"
        let configuration = try await load(file: file)
        #expect(configuration.gateway.streamProxyProtocol)
        #expect(!configuration.gateway.proxyProtocol)
    }
}
