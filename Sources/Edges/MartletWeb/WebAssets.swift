/// A file of the web client, as it is served.
package struct WebAsset: Sendable {
    /// The path of the URL, `/web/app.css`.
    package let path: String
    package let contentType: String
    package let bytes: [UInt8]
    /// The quoted entity tag: it changes when the bytes change, and only then.
    package let etag: String

    init(_ path: String, _ type: Kind, _ bytes: [UInt8]) {
        self.path = path
        self.contentType = type.rawValue
        self.bytes = bytes
        self.etag = "\"\(String(Self.hash(bytes), radix: 16))\""
    }

    enum Kind: String {
        case html = "text/html; charset=utf-8"
        case css = "text/css; charset=utf-8"
        case script = "text/javascript; charset=utf-8"
        case svg = "image/svg+xml"
    }

    /// FNV-1a, 64 bits: it tells versions of a file apart and guards nothing.
    static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// The web client: plain HTML, CSS and modules, embedded in the program so that there is nothing to install beside it.
package enum WebAssets {
    /// The pages need nothing from elsewhere, so nothing else is allowed: no inline script or style, and no other origin
    /// but for pictures and media that messages link to.
    package static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' https: data: blob:",
        "connect-src 'self'", "media-src 'self' https:", "form-action 'self'", "base-uri 'none'",
        "frame-ancestors 'none'",
    ].joined(separator: "; ")

    package static let all: [WebAsset] = [
        WebAsset("/", .html, PackageResources.index_html),
        WebAsset("/docs", .html, PackageResources.docs_html),
        WebAsset("/favicon.svg", .svg, PackageResources.favicon_svg),
        WebAsset("/web/app.css", .css, PackageResources.app_css),
        WebAsset("/web/chat.css", .css, PackageResources.chat_css),
        WebAsset("/web/docs.css", .css, PackageResources.docs_css),
        WebAsset("/web/api.js", .script, PackageResources.api_js),
        WebAsset("/web/cache.js", .script, PackageResources.cache_js),
        WebAsset("/web/composer.js", .script, PackageResources.composer_js),
        WebAsset("/web/docs.js", .script, PackageResources.docs_js),
        WebAsset("/web/dom.js", .script, PackageResources.dom_js),
        WebAsset("/web/i18n.js", .script, PackageResources.i18n_js),
        WebAsset("/web/lang-en.js", .script, PackageResources.lang_en_js),
        WebAsset("/web/lang-zh.js", .script, PackageResources.lang_zh_js),
        WebAsset("/web/live.js", .script, PackageResources.live_js),
        WebAsset("/web/log.js", .script, PackageResources.log_js),
        WebAsset("/web/main.js", .script, PackageResources.main_js),
        WebAsset("/web/outbox.js", .script, PackageResources.outbox_js),
        WebAsset("/web/people.js", .script, PackageResources.people_js),
        WebAsset("/web/preview.js", .script, PackageResources.preview_js),
        WebAsset("/web/socket.js", .script, PackageResources.socket_js),
        WebAsset("/web/store.js", .script, PackageResources.store_js),
        WebAsset("/web/text.js", .script, PackageResources.text_js),
        WebAsset("/web/ui.js", .script, PackageResources.ui_js),
        WebAsset("/web/uuid.js", .script, PackageResources.uuid_js),
        WebAsset("/web/view-auth.js", .script, PackageResources.view_auth_js),
        WebAsset("/web/view-chat.js", .script, PackageResources.view_chat_js),
        WebAsset("/web/view-group.js", .script, PackageResources.view_group_js),
        WebAsset("/web/view-list.js", .script, PackageResources.view_list_js),
        WebAsset("/web/view-message.js", .script, PackageResources.view_message_js),
        WebAsset("/web/view-people.js", .script, PackageResources.view_people_js),
        WebAsset("/web/view-settings.js", .script, PackageResources.view_settings_js),
        WebAsset("/web/view-shell.js", .script, PackageResources.view_shell_js),
    ]

    /// `/home/index` of the gowebsocket dialect: a template, with `{{appId}}` and `{{rooms}}` where the numbers go.
    package static let roomPage: [UInt8] = PackageResources.home_html

    /// What that page loads besides; it is served only where the dialect is.
    package static let room: [WebAsset] = [
        WebAsset("/web/home.css", .css, PackageResources.home_css),
        WebAsset("/web/home.js", .script, PackageResources.home_js),
    ]

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// The asset at a path; nil where the client has none, which includes `/index.html`: each asset has one address.
    package static func find(_ path: String) -> WebAsset? {
        byPath[path]
    }
}
