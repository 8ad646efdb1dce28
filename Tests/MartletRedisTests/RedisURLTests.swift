import MartletCore
import MartletRedis
import Testing

@Suite struct RedisURLTests {
    @Test func `All parts are read`() throws {
        let url = try RedisURL("rediss://me:p%40ss%2F@redis.example:7000/3?cafile=/etc/ca.pem")
        #expect(url.host == "redis.example")
        #expect(url.port == 7000)
        #expect(url.user == "me")
        #expect(url.password == "p@ss/")
        #expect(url.database == 3)
        #expect(url.isSecure)
        #expect(url.authorities == "/etc/ca.pem")
        #expect(url.identity == "redis.example:7000/3")
    }

    @Test func `What is left out has its usual value`() throws {
        let url = try RedisURL("redis://localhost")
        #expect(url.identity == "localhost:6379/0")
        #expect(url.password == nil)
        #expect(!url.isSecure)
        let six = try RedisURL("redis://:secret@[::1]:1")
        #expect(six.host == "::1")
        #expect(six.user == "default")
        #expect(six.identity == "[::1]:1/0")
    }

    @Test func `The password is not in the description`() throws {
        let url = try RedisURL("redis://u:hunter2@h/1")
        #expect(url.description == "redis://u:***@h:6379/1")
    }

    @Test(arguments: [
        "", "http://a", "redis://", "redis://:0", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x",
        "redis://u@h", "redis://u:@h", "redis://h?cafile=/x", "rediss://h?insecure=1", "redis://u:%zz@h",
        "redis://[::1",
        "redis://[::1]x", "redis://h/-1", "redis://a b",
    ])
    func `What can't be meant is refused, without telling a password`(text: String) {
        let error = #expect(throws: Fault.self) { try RedisURL(text) }
        #expect(error?.reason == .invalidField)
    }
}
