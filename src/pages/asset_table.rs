//! Table of the files of the pages, one row a file of `web`.

use std::sync::{LazyLock, OnceLock};

use super::assets::{Asset, AssetContent};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";
const WOFF2: &str = "font/woff2";

/// A text of this repository.
macro_rules! text {
    ($path:literal, $media_type:expr) => {
        Asset {
            path: $path,
            media_type: $media_type,
            content: AssetContent::Text {
                text: include_bytes!(concat!("../../web/", $path)),
                gzip: OnceLock::new(),
            },
        }
    };
}

/// A text that `web/vendor.sh` has compressed.
macro_rules! packed {
    ($path:literal, $media_type:expr) => {
        Asset {
            path: $path,
            media_type: $media_type,
            content: AssetContent::Packed {
                gzip: include_bytes!(concat!("../../web/", $path, ".gz")),
                brotli: include_bytes!(concat!("../../web/", $path, ".br")),
            },
        }
    };
}

/// Data that is compressed already.
macro_rules! stored {
    ($path:literal, $media_type:expr) => {
        Asset {
            path: $path,
            media_type: $media_type,
            content: AssetContent::Stored(include_bytes!(concat!("../../web/", $path))),
        }
    };
}

/// All files; a test compares them with the folder.
pub(super) static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        text!("css/base.css", CSS),
        text!("css/components.css", CSS),
        text!("css/pages.css", CSS),
        text!("css/swagger.css", CSS),
        text!("css/tokens.css", CSS),
        text!("icon.svg", SVG),
        text!("js/chart.js", JAVASCRIPT),
        text!("js/client.js", JAVASCRIPT),
        text!("js/diff.js", JAVASCRIPT),
        text!("js/editor.js", JAVASCRIPT),
        text!("js/events.js", JAVASCRIPT),
        text!("js/manager/app.js", JAVASCRIPT),
        text!("js/manager/collections.js", JAVASCRIPT),
        text!("js/manager/entity_form.js", JAVASCRIPT),
        text!("js/manager/entity_list.js", JAVASCRIPT),
        text!("js/manager/exchange.js", JAVASCRIPT),
        text!("js/manager/large_list.js", JAVASCRIPT),
        text!("js/manager/overview.js", JAVASCRIPT),
        text!("js/manager/reloads.js", JAVASCRIPT),
        text!("js/manager/routing.js", JAVASCRIPT),
        text!("js/manager/schema_form.js", JAVASCRIPT),
        text!("js/manager/traffic.js", JAVASCRIPT),
        text!("js/manager/traffic_charts.js", JAVASCRIPT),
        text!("js/manager/yaml.js", JAVASCRIPT),
        text!("js/portal/answer_bar.js", JAVASCRIPT),
        text!("js/portal/api.js", JAVASCRIPT),
        text!("js/portal/app.js", JAVASCRIPT),
        text!("js/portal/deploy.js", JAVASCRIPT),
        text!("js/portal/home.js", JAVASCRIPT),
        text!("js/portal/snippets.js", JAVASCRIPT),
        text!("js/portal/swagger.js", JAVASCRIPT),
        text!("js/shell.js", JAVASCRIPT),
        text!("js/theme.js", JAVASCRIPT),
        text!("js/ui.js", JAVASCRIPT),
        text!("js/write_dialog.js", JAVASCRIPT),
        text!("vendor/licences.txt", TEXT),
        packed!("vendor/codemirror.js", JAVASCRIPT),
        packed!("vendor/icons.js", JAVASCRIPT),
        packed!("vendor/preact.js", JAVASCRIPT),
        packed!("vendor/swagger-ui-bundle.js", JAVASCRIPT),
        packed!("vendor/swagger-ui.css", CSS),
        packed!("vendor/uplot.css", CSS),
        packed!("vendor/uplot.js", JAVASCRIPT),
        stored!("vendor/geist-mono.woff2", WOFF2),
        stored!("vendor/geist.woff2", WOFF2),
    ]
});
