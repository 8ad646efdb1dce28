/// What a port between nodes is made of: the process itself, or a real redis-server.
enum Adapter: String, CaseIterable {
    case local, redis
}
