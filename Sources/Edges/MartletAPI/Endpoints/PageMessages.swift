import MartletCore
import MartletMessaging
import MartletWire

/// Which part of a list is wanted.
struct PageInput: JSONInput {
    let limit: Int
    let cursor: String?

    init(_ fields: borrowing JSONFields) throws(Fault) {
        limit = try fields.limit()
        cursor = try fields.cursor()
    }
}

/// A part of a list, and where the next one begins.
struct PageOutput<Item: JSONOutput>: JSONOutput {
    let items: [Item]
    let nextCursor: String?

    static var example: PageOutput { PageOutput(items: [.example], nextCursor: "42") }

    private init(items: [Item], nextCursor: String?) {
        self.items = items
        self.nextCursor = nextCursor
    }

    init<Row>(_ page: MessagingPage<Row>, _ item: (Row) -> Item) {
        self.init(items: page.items.map(item), nextCursor: page.nextCursor)
    }

    func write(to object: inout JSONObject) {
        object.field("items", items)
        object.optional("nextCursor", nextCursor)
    }
}

/// A whole list.
struct ListOutput<Item: JSONOutput>: JSONOutput {
    let items: [Item]

    static var example: ListOutput { ListOutput(items: [.example]) }

    func write(to object: inout JSONObject) { object.field("items", items) }
}
