import MartletAPI
import MartletAccounts
import MartletCore
import MartletGateway
import MartletWire

extension Features {
    /// Every dialect that the server speaks; the native one first. To add one, add it here.
    func spoken(_ configuration: DialectsConfiguration, _ clock: any TimeSource) -> [SpokenDialect] {
        let commands = EndpointCommands(table: CommandTable(endpoints))
        var spoken = [SpokenDialect(NativeDialect(), runner: commands)]
        let goWebSocket = configuration.goWebSocket
        if goWebSocket.isEnabled {
            let dialect = GoWebSocketDialect(rooms: goWebSocket.rooms) { clock.now }
            spoken.append(SpokenDialect(dialect, runner: NoCommands()))
        }
        let clusterChat = configuration.clusterChat
        for (port, numbering) in clusterChat.ports {
            let dialect = ClusterChatDialect(
                numbering, app: clusterChat.app, pace: clusterChat.pace, signInTimeout: clusterChat.signInTimeout,
                localTime: ClusterChatTime.local)
            let runner = ClusterChatRunner(
                accounts: accounts, friends: friends, groups: groups, app: clusterChat.app)
            spoken.append(
                SpokenDialect(dialect, runner: runner, port: port, takesAnyPort: clusterChat.takesAnyPort))
        }
        return spoken
    }
}

/// Of a dialect whose sessions do all that its commands ask for.
private struct NoCommands: CommandRunner {
    func run(_ command: UInt8, by requester: Requester, data: [UInt8]) async throws(Fault) -> [UInt8] {
        throw Fault(.unknownCommand, "there is no such command")
    }
}
