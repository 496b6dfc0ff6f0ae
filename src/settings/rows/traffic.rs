//! Settings of client addresses, limits of requests and connections, timeouts, and connections to upstreams.

use super::{
    super::{
        directive, network,
        value::{self, switch},
    },
    SettingRow, read,
};

pub(super) const ROWS: &[SettingRow] = &[
    SettingRow::new(
        "trusted_ips",
        "",
        "Blocks of peers whose X-Forwarded-* headers are trusted",
        read!(trusted_ips, network::trusted_ips),
    )
    .protective(),
    SettingRow::new(
        "nginx_proxy_set_real_ip_from",
        "",
        "Blocks of further peers whose real_ip_header is trusted, but not their X-Forwarded-* headers",
        read!(real_ip_from, network::trusted_ips),
    )
    .aliases(&["nginx_http_set_real_ip_from"])
    .protective(),
    SettingRow::new(
        "real_ip_header",
        "X-Real-IP",
        "Header in which a trusted peer names the client, or `proxy_protocol`",
        read!(real_ip_header, value::real_ip_header),
    )
    .aliases(&["nginx_proxy_real_ip_header"]),
    SettingRow::new(
        "real_ip_recursive",
        "off",
        "Take the last address of the header that is not trusted for the client, not the last address",
        read!(real_ip_recursive, switch),
    )
    .aliases(&["nginx_proxy_real_ip_recursive"]),
    SettingRow::new(
        "port_maps",
        "",
        "Ports that clients see, where they differ from the ports of listeners: `80:8000, 443:8443`",
        read!(port_maps, network::port_maps),
    ),
    SettingRow::new(
        "nginx_http_client_max_body_size",
        "0",
        "Largest request body of the proxy, in bytes or with a unit (k, m, g); 0 is no limit",
        read!(client_max_body_size, value::size),
    )
    .aliases(&["nginx_proxy_client_max_body_size", "client_max_body_size"])
    .protective(),
    SettingRow::new(
        "nginx_admin_client_max_body_size",
        "0",
        "Largest request body of the Admin API, in bytes or with a unit (k, m, g); 0 is no limit but the fixed ones",
        read!(admin_max_body_size, value::size),
    )
    .protective(),
    SettingRow::new(
        "nginx_http_client_body_buffer_size",
        "64k",
        "Bytes of a request body that are read before the upstream is contacted, if the Route buffers requests",
        read!(client_body_buffer_size, directive::bytes),
    )
    .aliases(&["nginx_proxy_client_body_buffer_size", "client_body_buffer_size"]),
    SettingRow::new(
        "nginx_http_large_client_header_buffers",
        "4 8k",
        "Size of a request head: number of buffers and bytes of each; the target and each field fit into one, all fields into all",
        read!(large_client_header_buffers, directive::buffers),
    )
    .aliases(&["nginx_proxy_large_client_header_buffers"]),
    SettingRow::new(
        "max_body_memory",
        "256m",
        "Bytes of buffered bodies of all requests together (not in Kong)",
        read!(body_memory, directive::bytes),
    ),
    SettingRow::new(
        "max_rate_limiting_memory",
        "64m",
        "Bytes of the counters of all rate-limiting plugins together (not in Kong)",
        read!(rate_limiting_memory, directive::bytes),
    ),
    SettingRow::new(
        "mem_cache_size",
        "128m",
        "Bytes of the stored responses of all proxy-cache plugins together",
        read!(response_cache_memory, directive::bytes),
    ),
    SettingRow::new(
        "rate_limiting_ipv6_prefix",
        "128",
        "Bits of an IPv6 address by which rate limits tell clients apart, 1 to 128 (not in Kong)",
        read!(rate_limiting_ipv6_prefix, directive::prefix),
    ),
    SettingRow::new(
        "max_headers",
        "100",
        "Header fields that a request may have (not in Kong)",
        read!(max_headers, value::count),
    ),
    SettingRow::new(
        "nginx_http_client_header_timeout",
        "10s",
        "Time for the head of a request, and for the first byte on a new connection",
        read!(client_header_timeout, directive::time),
    )
    .aliases(&["nginx_proxy_client_header_timeout"]),
    SettingRow::new(
        "nginx_http_client_body_timeout",
        "60s",
        "Time between two reads of a request body",
        read!(client_body_timeout, directive::time),
    )
    .aliases(&["nginx_proxy_client_body_timeout"]),
    SettingRow::new(
        "nginx_http_send_timeout",
        "60s",
        "Time between two writes of a response",
        read!(send_timeout, directive::time),
    )
    .aliases(&["nginx_proxy_send_timeout"]),
    SettingRow::new(
        "nginx_http_keepalive_timeout",
        "75s",
        "Time that an idle connection of a client is kept; 0 keeps none",
        read!(keepalive_timeout, directive::time_or_none),
    )
    .aliases(&["nginx_proxy_keepalive_timeout"]),
    SettingRow::new(
        "nginx_http_keepalive_requests",
        "10000",
        "Requests that a connection of a client serves; 0 is no limit",
        read!(keepalive_requests, value::limit),
    )
    .aliases(&["nginx_proxy_keepalive_requests"]),
    SettingRow::new(
        "nginx_events_worker_connections",
        "auto",
        "Connections of clients that may be open; `auto` is half of the files that the process may open",
        read!(worker_connections, directive::auto_or_count),
    ),
    SettingRow::new(
        "max_concurrent_requests",
        "auto",
        "Requests that the proxy handles at a time; `auto` is half of the files that the process may open (not in Kong)",
        read!(concurrent_requests, directive::auto_or_count),
    ),
    SettingRow::new(
        "nginx_proxy_proxy_buffer_size",
        "64k",
        "Largest head of a response of an upstream, in bytes or with a unit (k, m)",
        read!(response_head_size, directive::buffer_size),
    )
    .aliases(&["nginx_http_proxy_buffer_size", "nginx_location_proxy_buffer_size"]),
    SettingRow::new(
        "nginx_proxy_proxy_buffers",
        "8 8k",
        "Number and size of buffers; a response head may have the size of one of them, if that is more than \
         `nginx_proxy_proxy_buffer_size`. Bodies are passed on as they come",
        read!(response_buffers, directive::buffers),
    )
    .aliases(&["nginx_http_proxy_buffers", "nginx_location_proxy_buffers"]),
    SettingRow::new(
        "max_response_headers",
        "1000",
        "Header fields that a response of an upstream may have, at most about 24000 (not in Kong)",
        read!(max_response_headers, value::count),
    ),
    SettingRow::new(
        "upstream_keepalive_pool_size",
        "512",
        "Idle connections that are kept for each upstream host; 0 keeps none",
        read!(upstream_keepalive_pool_size, value::count),
    )
    .aliases(&["nginx_upstream_keepalive", "nginx_http_upstream_keepalive", "upstream_keepalive"]),
    SettingRow::new(
        "upstream_keepalive_max_requests",
        "10000",
        "Requests that a connection to an upstream serves; 0 is no limit",
        read!(upstream_keepalive_max_requests, value::limit),
    )
    .aliases(&["nginx_upstream_keepalive_requests", "nginx_http_upstream_keepalive_requests"]),
    SettingRow::new(
        "upstream_keepalive_idle_timeout",
        "60",
        "Time that an idle connection to an upstream is kept, in seconds or with a unit; 0 is no limit",
        read!(upstream_keepalive_idle_timeout, directive::time_or_none),
    )
    .aliases(&["nginx_upstream_keepalive_timeout", "nginx_http_upstream_keepalive_timeout"]),
];
