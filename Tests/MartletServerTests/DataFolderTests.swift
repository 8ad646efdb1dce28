import Foundation
import MartletServer
import Testing

@Suite struct DataFolderTests {
    @Test func isMadeForItsOwnerOnly() throws {
        let folder = try Folder()
        let path = folder.path + "/a/b"
        #expect(try DataFolder(preparing: path).databasePath == path + "/martlet.db")
        #expect(try Folder.permissions(path) == 0o700)
    }

    @Test func isForOneServerAtATime() throws {
        let folder = try DataFolder(preparing: try Folder().path)
        var lock: DataFolderLock? = try folder.lock()
        let failure = #expect(throws: OperatorFailure.self) { try folder.lock() }
        #expect(failure?.status == .unavailable)
        #expect(failure?.message.contains(folder.path) == true)
        withExtendedLifetime(lock) {}
        lock = nil
        _ = try folder.lock()
    }

    @Test func refusesAFileInItsPlace() throws {
        let folder = try Folder()
        let path = try folder.write("data", "")
        let failure = #expect(throws: OperatorFailure.self) { try DataFolder(preparing: path) }
        #expect(failure?.status == .cannotCreate)
    }

    @Test func refusesToBeginWhereItCanNotBe() throws {
        let failure = #expect(throws: OperatorFailure.self) { try DataFolder(preparing: "/proc/martlet") }
        #expect(failure?.status == .cannotCreate)
    }
}
