-- Prosody for a measurement: XMPP over WebSocket on loopback, plain passwords, a room service. peers.sh fills in @…@.
data_path = "@HOME@/data"
certificates = "@HOME@"
log = { { levels = { min = "error" }, to = "file", filename = "@HOME@/log" } }
-- It is thrown away when the run is over.
run_as_root = true
modules_enabled = { "roster", "saslauth", "disco", "offline", "websocket" }
modules_disabled = { "s2s", "tls" }
interfaces = { "127.0.0.1" }
http_ports = { @PORT@ }
http_interfaces = { "127.0.0.1" }
https_ports = {}
c2s_ports = {}
s2s_ports = {}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
consider_websocket_secure = true
authentication = "internal_plain"
storage = "internal"

VirtualHost "localhost"

Component "conference.localhost" "muc"
    muc_room_locking = false
