// MartletAPI: REST over Hummingbird's HTTP core. Each feature declares its operations as `Endpoint`s (Endpoints/); APIRouter.swift turns
// a request into an answer; HTTP/ reads targets, addresses and headers; Documentation/ writes the OpenAPI document from
// the same declarations; CommandTable.swift offers them to WebSocket sessions. Start with Endpoint.swift, then APIRouter.swift.
