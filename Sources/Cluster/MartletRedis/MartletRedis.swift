// MartletRedis: the ports between nodes on one or several Redis 7 servers. From the bytes up: `RESPDecoder` and
// `RedisCommand` are the protocol, `RedisConnectionStateMachine` is what one connection knows, `RedisLink` keeps one
// alive, `RedisServers` shares them out by topic; on top of these are the adapters (`RedisBroker`, `RedisPresence`,
// `RedisNodeDirectory`, `RedisLeases`, `RedisRateLimiter`). Whatever Redis loses costs time, never data. Imports
// MartletCore and MartletBus; start reading at `RedisServers`.
