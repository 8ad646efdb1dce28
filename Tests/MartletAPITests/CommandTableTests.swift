import MartletAPI
import MartletCore
import MartletWire
import Testing

@Suite struct CommandTableTests {
    private let table = CommandTable(TestEndpoints.all)
    private let caller = Caller(
        user: UserID(unchecked: 7), app: AppID(unchecked: 1), role: .user, device: .web, name: "seven", trace: "t")

    @Test func runsTheEndpointOfAName() async throws {
        let data = try await table.run(.react, caller: caller, data: Array(#"{"text":"hi"}"#.utf8))
        #expect(try JSONValue(parsing: data)["text"]?.string == "hi")
    }

    @Test func checksTheData() async {
        let fault = await #expect(throws: Fault.self) { try await table.run(.react, caller: caller, data: []) }
        #expect(fault?.reason == .missingField)
    }

    @Test func refusesANameThatNoEndpointHas() async {
        let fault = await #expect(throws: Fault.self) { try await table.run(.typing, caller: caller, data: []) }
        #expect(fault?.reason == .unknownCommand)
    }
}
