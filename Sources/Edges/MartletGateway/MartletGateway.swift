// MartletGateway: the hot path. It owns the listening port, the sessions and the delivery of events to them. It may import the wire codecs, the
// ports of log and bus, and the messaging feature; it knows neither HTTP routes nor adapters.
//
// One connection is one `Session`, a channel handler that lives on one event loop. A loop's sessions share a `GatewayLoop`; the loops share the
// `Gateway`. Start with Session.swift, follow a send to GatewayLoop+Sends.swift, and an event from Gateway+Topics.swift back to the sessions.
