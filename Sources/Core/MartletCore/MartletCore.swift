// MartletCore: the words of the house (ids, times, faults, limits, events) and the policy that decides who may do what.
// It imports nothing but the standard library and does no I/O. Start with Event.swift, then Policy.swift.
