// MartletBus: ports between nodes (Broker, Presence, NodeDirectory, Leases, RateLimiter) and their in-process adapters,
// which make one node a cluster of one. The bus carries hints, the log carries the truth: losing a message here may cost
// time, never data. Imports MartletCore.
