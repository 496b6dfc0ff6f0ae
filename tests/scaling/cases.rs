//! Documents of variable size: one for each list of a configuration, and for each kind of error.

/// A document of this many items.
pub(crate) struct Case {
    /// The list that grows, as `collection.field` or `plugin:name.field`; other cases begin with a blank.
    pub(crate) name: &'static str,
    pub(crate) text: fn(usize) -> String,
}

const fn case(name: &'static str, text: fn(usize) -> String) -> Case {
    Case { name, text }
}

const CERTIFICATE: &str = include_str!("certificate.pem");
const KEY: &str = include_str!("key.pem");

/// JSON of many items.
fn many(n: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..n).map(item).collect();
    format!("[{}]", items.join(",\n"))
}

/// JSON of many members.
fn members(n: usize, member: impl Fn(usize) -> String) -> String {
    let members: Vec<String> = (0..n).map(member).collect();
    format!("{{{}}}", members.join(",\n"))
}

fn words(n: usize) -> String {
    many(n, |i| format!("\"x{i}\""))
}

fn document(members: &str) -> String {
    format!("{{\"_format_version\": \"3.0\", {members}}}")
}

/// A document with one service, one route with these fields, and these plugins.
fn route(fields: &str) -> String {
    document(&format!(
        "\"services\": [{{\"name\": \"s\", \"url\": \"http://a.example\", \"routes\": [{{\"name\": \"r\", {fields}}}]}}]"
    ))
}

fn plugin(name: &str, config: &str) -> String {
    document(&format!("\"plugins\": [{{\"name\": \"{name}\", \"config\": {{{config}}}}}]"))
}

fn entities(collection: &str, n: usize, item: impl Fn(usize) -> String) -> String {
    document(&format!("\"{collection}\": {}", many(n, |i| format!("{{{}}}", item(i)))))
}

/// Many entities below one parent.
fn below(parent: &str, fields: &str, collection: &str, n: usize, item: impl Fn(usize) -> String) -> String {
    let nested = many(n, |i| format!("{{{}}}", item(i)));
    document(&format!("\"{parent}\": [{{{fields}, \"{collection}\": {nested}}}]"))
}

fn pair() -> String {
    format!("\"cert\": {CERTIFICATE:?}, \"key\": {KEY:?}")
}

fn consumer(collection: &str, n: usize, item: impl Fn(usize) -> String) -> String {
    below("consumers", "\"username\": \"c\"", collection, n, item)
}

fn uuid(i: usize) -> String {
    format!("00000000-0000-4000-8000-{i:012}")
}

fn named(i: usize) -> String {
    format!("\"name\": \"x{i}\"")
}

fn service(i: usize) -> String {
    format!("\"name\": \"x{i}\", \"url\": \"http://h{i}.example/p\"")
}

fn a_plugin(i: usize) -> String {
    format!("\"name\": \"request-termination\", \"instance_name\": \"i{i}\", \"route\": \"x{i}\"")
}

fn upstream(fields: &str) -> String {
    document(&format!("\"upstreams\": [{{\"name\": \"u\", {fields}}}]"))
}

fn statuses(n: usize) -> String {
    many(n, |i| (200 + i % 100).to_string())
}

fn token(i: usize) -> String {
    format!("\"access_token\": \"t{i}\", \"expires_in\": 1, \"credential\": \"{}\"", uuid(i))
}

fn mocked(paths: &str) -> String {
    let specification =
        format!("{{\"openapi\": \"3.0.3\", \"info\": {{\"title\": \"t\", \"version\": \"1\"}}, {paths}}}");
    plugin("mocking", &format!("\"api_specification\": {specification:?}"))
}

fn operation(content: &str) -> String {
    mocked(&format!("\"paths\": {{\"/a\": {{\"get\": {content}}}}}"))
}

fn schema(schema: &str) -> String {
    operation(&format!(
        "{{\"responses\": {{\"200\": {{\"description\": \"d\", \"content\": {{\"application/json\": {{\"schema\": {schema}}}}}}}}}}}"
    ))
}

/// Lists and maps of entities.
pub(crate) const OF_ENTITIES: &[Case] = &[
    case("_ignore", |n| document(&format!("\"_ignore\": {}", words(n)))),
    case("services", |n| entities("services", n, service)),
    case("services.tags", |n| {
        document(&format!("\"services\": [{{{}, \"tags\": {}}}]", service(0), words(n)))
    }),
    case("services.ca_certificates", |n| {
        document(&format!(
            "\"services\": [{{{}, \"ca_certificates\": {}}}]",
            service(0),
            many(n, |i| format!("\"{}\"", uuid(i)))
        ))
    }),
    case("services.routes", |n| {
        below("services", &service(0), "routes", n, |i| format!("\"name\": \"r{i}\", \"paths\": [\"/p{i}\"]"))
    }),
    case("services.plugins", |n| {
        below("services", &service(0), "plugins", n, |i| {
            format!("\"name\": \"cors\", \"instance_name\": \"i{i}\", \"id\": \"{}\"", uuid(i))
        })
    }),
    case("services.filter_chains", |n| {
        below("services", &service(0), "filter_chains", n, |i| format!("\"name\": \"f{i}\", \"filters\": []"))
    }),
    case("services.oauth2_tokens", |n| below("services", &service(0), "oauth2_tokens", n, token)),
    case("routes", |n| entities("routes", n, |i| format!("\"name\": \"x{i}\", \"paths\": [\"/p{i}\"]"))),
    case("routes.protocols", |n| {
        route(&format!(
            "\"paths\": [\"/\"], \"protocols\": {}",
            many(n, |i| ["\"http\"", "\"https\""][i % 2].to_owned())
        ))
    }),
    case("routes.methods", |n| {
        // Methods are letters alone.
        let letters =
            |i: usize| i.to_string().bytes().map(|byte| char::from(byte + b'A' - b'0')).collect::<String>();
        route(&format!("\"methods\": {}", many(n, |i| format!("\"{}\"", letters(i)))))
    }),
    case("routes.hosts", |n| route(&format!("\"hosts\": {}", many(n, |i| format!("\"h{i}.example\""))))),
    case(" wildcard hosts", |n| route(&format!("\"hosts\": {}", many(n, |i| format!("\"*.h{i}.example\""))))),
    case("routes.paths", |n| route(&format!("\"paths\": {}", many(n, |i| format!("\"/p{i}\""))))),
    case(" regex paths", |n| route(&format!("\"paths\": {}", many(n, |i| format!("\"~/p{i}/[0-9]+$\""))))),
    case(" long paths with the same beginning", |n| {
        route(&format!(
            "\"paths\": {}",
            many(n, |i| format!("\"/{}/{i}\"", "a/".repeat(20).trim_end_matches('/')))
        ))
    }),
    case("routes.headers", |n| {
        route(&format!("\"paths\": [\"/\"], \"headers\": {}", members(n, |i| format!("\"x-h{i}\": [\"v\"]"))))
    }),
    case(" header values", |n| route(&format!("\"paths\": [\"/\"], \"headers\": {{\"x\": {}}}", words(n)))),
    case("routes.snis", |n| {
        route(&format!("\"protocols\": [\"https\"], \"snis\": {}", many(n, |i| format!("\"h{i}.example\""))))
    }),
    case("routes.sources", |n| {
        route(&format!(
            "\"protocols\": [\"tcp\"], \"sources\": {}",
            many(n, |i| format!("{{\"ip\": \"10.0.0.1\", \"port\": {}}}", i % 65000))
        ))
    }),
    case("routes.destinations", |n| {
        route(&format!(
            "\"protocols\": [\"tcp\"], \"destinations\": {}",
            many(n, |i| format!("{{\"ip\": \"10.{}.{}.1\"}}", i / 256 % 256, i % 256))
        ))
    }),
    case("routes.tags", |n| route(&format!("\"paths\": [\"/\"], \"tags\": {}", words(n)))),
    case("routes.plugins", |n| {
        document(&format!(
            "\"services\": [{{{}, \"routes\": {}}}]",
            service(0),
            many(n, |i| format!(
                "{{\"name\": \"r{i}\", \"paths\": [\"/p{i}\"], \"plugins\": [{{\"name\": \"cors\"}}]}}"
            ))
        ))
    }),
    case("routes.filter_chains", |n| {
        below("routes", "\"name\": \"r\", \"paths\": [\"/\"]", "filter_chains", n, |i| {
            format!("\"name\": \"f{i}\", \"filters\": []")
        })
    }),
    case("plugins", |n| {
        let routes = many(n, |i| format!("{{\"name\": \"x{i}\", \"paths\": [\"/p{i}\"]}}"));
        document(&format!(
            "\"routes\": {routes}, \"plugins\": {}",
            many(n, |i| format!("{{{}}}", a_plugin(i)))
        ))
    }),
    case("plugins.protocols", |n| {
        document(&format!(
            "\"plugins\": [{{\"name\": \"cors\", \"protocols\": {}}}]",
            many(n, |_| "\"http\"".to_owned())
        ))
    }),
    case("plugins.tags", |n| {
        document(&format!("\"plugins\": [{{\"name\": \"cors\", \"tags\": {}}}]", words(n)))
    }),
    case("consumers", |n| {
        entities("consumers", n, |i| format!("\"username\": \"u{i}\", \"custom_id\": \"c{i}\""))
    }),
    case("consumers.tags", |n| {
        document(&format!("\"consumers\": [{{\"username\": \"u\", \"tags\": {}}}]", words(n)))
    }),
    case("consumers.plugins", |n| {
        document(&format!(
            "\"consumers\": {}",
            many(n, |i| format!(
                "{{\"username\": \"u{i}\", \"plugins\": [{{\"name\": \"rate-limiting\", \"config\": {{\"minute\": 1}}}}]}}"
            ))
        ))
    }),
    case("consumers.keyauth_credentials", |n| {
        consumer("keyauth_credentials", n, |i| format!("\"key\": \"k{i}\""))
    }),
    case("consumers.basicauth_credentials", |n| {
        consumer("basicauth_credentials", n, |i| format!("\"username\": \"u{i}\", \"password\": \"p\""))
    }),
    case("consumers.acls", |n| consumer("acls", n, |i| format!("\"group\": \"g{i}\""))),
    case("consumers.jwt_secrets", |n| {
        consumer("jwt_secrets", n, |i| format!("\"key\": \"k{i}\", \"secret\": \"s\""))
    }),
    case("consumers.hmacauth_credentials", |n| {
        consumer("hmacauth_credentials", n, |i| format!("\"username\": \"u{i}\""))
    }),
    case("consumers.oauth2_credentials", |n| {
        consumer("oauth2_credentials", n, |i| format!("\"name\": \"u{i}\", \"client_id\": \"c{i}\""))
    }),
    case("keyauth_credentials", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"keyauth_credentials\": {}",
            many(n, |i| format!("{{\"key\": \"k{i}\", \"consumer\": \"c\", \"tags\": [\"a\"]}}"))
        ))
    }),
    case("basicauth_credentials", |n| {
        document(&format!(
            "\"consumers\": {}, \"basicauth_credentials\": {}",
            many(n, |i| format!("{{\"username\": \"c{i}\"}}")),
            many(n, |i| format!("{{\"username\": \"k{i}\", \"password\": \"p\", \"consumer\": \"c{i}\"}}"))
        ))
    }),
    case("acls", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"acls\": {}",
            many(n, |i| format!("{{\"group\": \"k{i}\", \"consumer\": \"c\"}}"))
        ))
    }),
    case("jwt_secrets", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"jwt_secrets\": {}",
            many(n, |i| format!("{{\"key\": \"k{i}\", \"consumer\": \"c\"}}"))
        ))
    }),
    case("hmacauth_credentials", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"hmacauth_credentials\": {}",
            many(n, |i| format!("{{\"username\": \"k{i}\", \"consumer\": \"c\"}}"))
        ))
    }),
    case("oauth2_credentials", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"oauth2_credentials\": {}",
            many(n, |i| format!("{{\"name\": \"k{i}\", \"client_id\": \"k{i}\", \"consumer\": \"c\"}}"))
        ))
    }),
    case("oauth2_credentials.redirect_uris", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"oauth2_credentials\": [{{\"name\": \"k\", \"consumer\": \"c\", \"redirect_uris\": {}}}]",
            many(n, |i| format!("\"http://a/{i}\""))
        ))
    }),
    case("oauth2_credentials.oauth2_tokens", |n| {
        document(&format!(
            "\"consumers\": [{{\"username\": \"c\"}}], \"oauth2_credentials\": [{{\"name\": \"k\", \"consumer\": \"c\", \"oauth2_tokens\": {}}}]",
            many(n, |i| format!("{{\"expires_in\": 1, \"access_token\": \"t{i}\"}}"))
        ))
    }),
    case("oauth2_tokens", |n| entities("oauth2_tokens", n, token)),
    case("acme_storage", |n| entities("acme_storage", n, |i| format!("\"key\": \"k{i}\", \"value\": \"v\""))),
    case("sessions", |n| entities("sessions", n, |i| format!("\"session_id\": \"k{i}\""))),
    case("upstreams", |n| {
        entities("upstreams", n, |i| {
            format!("{}, \"targets\": [{{\"target\": \"h{i}.example:80\"}}]", named(i))
        })
    }),
    case("upstreams.tags", |n| upstream(&format!("\"tags\": {}", words(n)))),
    case("upstreams.targets", |n| {
        // The ring of an Upstream has at least ten slots for each target.
        upstream(&format!(
            "\"slots\": 65536, \"targets\": {}",
            many(n, |i| format!("{{\"target\": \"10.{}.{}.1:80\"}}", i / 256 % 256, i % 256))
        ))
    }),
    case("upstreams.healthchecks.active.headers", |n| {
        upstream(&format!(
            "\"healthchecks\": {{\"active\": {{\"headers\": {}}}}}",
            members(n, |i| format!("\"x{i}\": [\"v\"]"))
        ))
    }),
    case("upstreams.healthchecks.active.healthy.http_statuses", |n| {
        upstream(&format!(
            "\"healthchecks\": {{\"active\": {{\"healthy\": {{\"http_statuses\": {}}}}}}}",
            statuses(n)
        ))
    }),
    case("upstreams.healthchecks.active.unhealthy.http_statuses", |n| {
        upstream(&format!(
            "\"healthchecks\": {{\"active\": {{\"unhealthy\": {{\"http_statuses\": {}}}}}}}",
            statuses(n)
        ))
    }),
    case("upstreams.healthchecks.passive.healthy.http_statuses", |n| {
        upstream(&format!(
            "\"healthchecks\": {{\"passive\": {{\"healthy\": {{\"http_statuses\": {}}}}}}}",
            statuses(n)
        ))
    }),
    case("upstreams.healthchecks.passive.unhealthy.http_statuses", |n| {
        upstream(&format!(
            "\"healthchecks\": {{\"passive\": {{\"unhealthy\": {{\"http_statuses\": {}}}}}}}",
            statuses(n)
        ))
    }),
    case("targets", |n| {
        document(&format!(
            "\"upstreams\": [{{\"name\": \"u\", \"slots\": 65536}}], \"targets\": {}",
            many(n, |i| format!(
                "{{\"upstream\": \"u\", \"target\": \"10.{}.{}.1:80\"}}",
                i / 256 % 256,
                i % 256
            ))
        ))
    }),
    case("targets.tags", |n| {
        document(&format!(
            "\"upstreams\": [{{\"name\": \"u\"}}], \"targets\": [{{\"upstream\": \"u\", \"target\": \"10.0.0.1:80\", \"tags\": {}}}]",
            words(n)
        ))
    }),
    case("certificates", |n| entities("certificates", n, |i| format!("\"id\": \"{}\", {}", uuid(i), pair()))),
    case("certificates.tags", |n| {
        document(&format!("\"certificates\": [{{{}, \"tags\": {}}}]", pair(), words(n)))
    }),
    case("certificates.snis", |n| {
        below("certificates", &pair(), "snis", n, |i| format!("\"name\": \"h{i}.example\""))
    }),
    case("certificates.services", |n| below("certificates", &pair(), "services", n, service)),
    case("certificates.upstreams", |n| below("certificates", &pair(), "upstreams", n, named)),
    case("snis", |n| {
        let id = uuid(1);
        document(&format!(
            "\"certificates\": [{{\"id\": \"{id}\", {}}}], \"snis\": {}",
            pair(),
            many(n, |i| format!("{{\"name\": \"h{i}.example\", \"certificate\": \"{id}\"}}"))
        ))
    }),
    case("ca_certificates", |n| {
        entities("ca_certificates", n, |i| format!("\"id\": \"{}\", \"cert\": {CERTIFICATE:?}", uuid(i)))
    }),
    case("workspaces", |n| entities("workspaces", n, named)),
    case("parameters", |n| entities("parameters", n, |i| format!("\"key\": \"k{i}\", \"value\": \"v\""))),
    case("vaults", |n| entities("vaults", n, |i| format!("\"prefix\": \"p{i}\", \"name\": \"env\""))),
    case("key_sets", |n| entities("key_sets", n, named)),
    case("key_sets.keys", |n| {
        below("key_sets", "\"name\": \"s\"", "keys", n, |i| {
            format!(
                "\"kid\": \"k{i}\", \"name\": \"k{i}\", \"jwk\": \"{{\\\"kid\\\": \\\"k{i}\\\", \\\"kty\\\": \\\"OKP\\\", \\\"crv\\\": \\\"Ed25519\\\", \\\"x\\\": \\\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\\\"}}\""
            )
        })
    }),
    case("keys", |n| {
        entities("keys", n, |i| {
            format!(
                "\"kid\": \"k{i}\", \"name\": \"k{i}\", \"jwk\": \"{{\\\"kid\\\": \\\"k{i}\\\", \\\"kty\\\": \\\"OKP\\\", \\\"crv\\\": \\\"Ed25519\\\", \\\"x\\\": \\\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\\\"}}\""
            )
        })
    }),
    case("keys.pem", |n| {
        document(&format!(
            "\"keys\": [{{\"kid\": \"k\", \"pem\": {}}}]",
            members(n, |i| format!("\"k{i}\": \"v\""))
        ))
    }),
    case("filter_chains", |n| {
        document(&format!(
            "\"services\": {}, \"filter_chains\": {}",
            many(n, |i| format!("{{{}}}", service(i))),
            many(n, |i| format!("{{\"name\": \"f{i}\", \"service\": \"x{i}\", \"filters\": []}}"))
        ))
    }),
    case("filter_chains.filters", |n| {
        document(&format!(
            "\"services\": [{{{}}}], \"filter_chains\": [{{\"name\": \"f\", \"service\": \"x0\", \"filters\": {}}}]",
            service(0),
            many(n, |i| format!("{{\"name\": \"f{i}\"}}"))
        ))
    }),
    case("clustering_data_planes", |n| document(&format!("\"clustering_data_planes\": {}", words(n)))),
];

/// Lists and maps of the settings of plugins.
pub(crate) const OF_PLUGINS: &[Case] = &[
    case("plugin:acl.allow", |n| plugin("acl", &format!("\"allow\": {}", words(n)))),
    case("plugin:acl.deny", |n| plugin("acl", &format!("\"deny\": {}", words(n)))),
    case("plugin:cors.origins", |n| {
        plugin("cors", &format!("\"origins\": {}", many(n, |i| format!("\"http://h{i}.example\""))))
    }),
    case(" cors.origins of expressions", |n| {
        plugin("cors", &format!("\"origins\": {}", many(n, |i| format!("\"h{i}[.]example\""))))
    }),
    case("plugin:cors.headers", |n| plugin("cors", &format!("\"headers\": {}", words(n)))),
    case("plugin:cors.exposed_headers", |n| plugin("cors", &format!("\"exposed_headers\": {}", words(n)))),
    case("plugin:cors.methods", |n| {
        plugin("cors", &format!("\"methods\": {}", many(n, |_| "\"GET\"".to_owned())))
    }),
    case("plugin:ip-restriction.allow", |n| {
        plugin(
            "ip-restriction",
            &format!("\"allow\": {}", many(n, |i| format!("\"10.{}.{}.1\"", i / 256 % 256, i % 256))),
        )
    }),
    case("plugin:ip-restriction.deny", |n| {
        plugin(
            "ip-restriction",
            &format!("\"deny\": {}", many(n, |i| format!("\"fd00::{:x}:{:x}/127\"", i / 65536, i % 65536))),
        )
    }),
    case("plugin:bot-detection.allow", |n| plugin("bot-detection", &format!("\"allow\": {}", words(n)))),
    case("plugin:bot-detection.deny", |n| plugin("bot-detection", &format!("\"deny\": {}", words(n)))),
    case("plugin:proxy-cache.response_code", |n| {
        plugin("proxy-cache", &format!("\"strategy\": \"memory\", \"response_code\": {}", statuses(n)))
    }),
    case("plugin:proxy-cache.request_method", |n| {
        let methods = many(n, |_| "\"GET\"".to_owned());
        plugin("proxy-cache", &format!("\"strategy\": \"memory\", \"request_method\": {methods}"))
    }),
    case("plugin:proxy-cache.content_type", |n| {
        let types = many(n, |i| format!("\"text/x{i}\""));
        plugin("proxy-cache", &format!("\"strategy\": \"memory\", \"content_type\": {types}"))
    }),
    case("plugin:proxy-cache.vary_headers", |n| {
        plugin("proxy-cache", &format!("\"strategy\": \"memory\", \"vary_headers\": {}", words(n)))
    }),
    case("plugin:proxy-cache.vary_query_params", |n| {
        plugin("proxy-cache", &format!("\"strategy\": \"memory\", \"vary_query_params\": {}", words(n)))
    }),
    #[cfg(feature = "lua")]
    case("plugin:pre-function.access", |n| {
        plugin("pre-function", &format!("\"access\": {}", many(n, |i| format!("\"local a{i} = {i}\""))))
    }),
    case("plugin:key-auth.key_names", |n| plugin("key-auth", &format!("\"key_names\": {}", words(n)))),
    case("plugin:jwt.uri_param_names", |n| plugin("jwt", &format!("\"uri_param_names\": {}", words(n)))),
    case("plugin:jwt.cookie_names", |n| plugin("jwt", &format!("\"cookie_names\": {}", words(n)))),
    case("plugin:jwt.header_names", |n| plugin("jwt", &format!("\"header_names\": {}", words(n)))),
    case("plugin:jwt.claims_to_verify", |n| {
        plugin("jwt", &format!("\"claims_to_verify\": {}", many(n, |_| "\"exp\"".to_owned())))
    }),
    case("plugin:http-log.headers", |n| {
        plugin(
            "http-log",
            &format!(
                "\"http_endpoint\": \"http://127.0.0.1:1\", \"headers\": {}",
                members(n, |i| format!("\"x{i}\": \"v\""))
            ),
        )
    }),
    case("plugin:mocking.included_status_codes", |n| {
        plugin(
            "mocking",
            &format!(
                "\"api_specification\": \"{{openapi: 3.0.3, info: {{title: t, version: v}}, paths: {{}}}}\", \"included_status_codes\": {}",
                statuses(n)
            ),
        )
    }),
    case("plugin:mocking.fault_status_codes", |n| {
        plugin(
            "mocking",
            &format!(
                "\"api_specification\": \"{{openapi: 3.0.3, info: {{title: t, version: v}}, paths: {{}}}}\", \"fault_status_codes\": {}",
                many(n, |i| (500 + i % 100).to_string())
            ),
        )
    }),
    case("plugin:request-transformer.remove.headers", |n| {
        plugin("request-transformer", &format!("\"remove\": {{\"headers\": {}}}", words(n)))
    }),
    case("plugin:request-transformer.add.headers", |n| {
        plugin(
            "request-transformer",
            &format!("\"add\": {{\"headers\": {}}}", many(n, |i| format!("\"x{i}:$(headers.host)\""))),
        )
    }),
    case("plugin:request-transformer.rename.body", |n| {
        plugin(
            "request-transformer",
            &format!("\"rename\": {{\"body\": {}}}", many(n, |i| format!("\"x{i}:y{i}\""))),
        )
    }),
    case("plugin:response-transformer.remove.json", |n| {
        plugin("response-transformer", &format!("\"remove\": {{\"json\": {}}}", words(n)))
    }),
    case("plugin:response-transformer.add.json", |n| {
        plugin(
            "response-transformer",
            &format!(
                "\"add\": {{\"json\": {}, \"json_types\": {}}}",
                many(n, |i| format!("\"x{i}:1\"")),
                many(n, |_| "\"number\"".to_owned())
            ),
        )
    }),
    case("plugin:response-transformer.add.headers", |n| {
        plugin(
            "response-transformer",
            &format!("\"add\": {{\"headers\": {}}}", many(n, |i| format!("\"x{i}:1\""))),
        )
    }),
];

/// Documents with many errors of one kind, and lists that are neither of entities nor of settings.
pub(crate) const OTHERS: &[Case] = &[
    case(" unknown fields of the document", |n| {
        document(members(n, |i| format!("\"servicez{i}\": 1")).trim_matches(['{', '}']))
    }),
    case(" unknown fields of an entity", |n| {
        document(&format!("\"services\": [{}]", members(n, |i| format!("\"hosst{i}\": 1"))))
    }),
    case(" unknown fields of a plugin", |n| {
        plugin("cors", members(n, |i| format!("\"originz{i}\": 1")).trim_matches(['{', '}']))
    }),
    case(" unknown plugins", |n| entities("plugins", n, |i| format!("\"name\": \"corz{i}\""))),
    case(" wrong items of a list", |n| route(&format!("\"paths\": {}", many(n, |i| i.to_string())))),
    case(" wrong entities", |n| {
        entities("routes", n, |i| format!("\"name\": \"x{i}\", \"paths\": [\"no\"]"))
    }),
    case(" entities that are none", |n| document(&format!("\"services\": {}", words(n)))),
    case(" dangling references", |n| {
        entities("routes", n, |i| {
            format!("\"name\": \"x{i}\", \"paths\": [\"/\"], \"service\": \"nowhere{i}\"")
        })
    }),
    case(" the same name", |n| entities("services", n, |_| service(0))),
    case(" the same route", |n| {
        entities("routes", n, |i| format!("\"name\": \"x{i}\", \"paths\": [\"/same\"]"))
    }),
    case(" the same host", |n| {
        entities("routes", n, |i| {
            format!("\"name\": \"x{i}\", \"hosts\": [\"a.example\"], \"paths\": [\"/p{i}\"]")
        })
    }),
    case(" the same key", |n| consumer("keyauth_credentials", n, |_| "\"key\": \"k\"".to_owned())),
    case(" the same member", |n| {
        document(&format!(
            "\"_ignore\": [{{{}}}]",
            many(n, |_| "\"a\": 1".to_owned()).trim_matches(['[', ']'])
        ))
    }),
    case(" the same plugin", |n| entities("plugins", n, |_| "\"name\": \"cors\"".to_owned())),
    case(" routes that never match", |n| {
        entities("routes", n, |i| {
            format!("\"name\": \"x{i}\", \"paths\": [\"/p\"], \"methods\": [\"GET\"], \"tags\": [\"t{i}\"]")
        })
    }),
    case(" routes with braces", |n| {
        entities("routes", n, |i| format!("\"name\": \"x{i}\", \"paths\": [\"/p{{a}}{i}\"]"))
    }),
    case(" routes by header", |n| {
        entities("routes", n, |i| format!("\"name\": \"x{i}\", \"headers\": {{\"x\": [\"v{i}\"]}}"))
    }),
    case(" regex routes", |n| {
        entities("routes", n, |i| format!("\"name\": \"x{i}\", \"paths\": [\"~/[a-z]+/p{i}$\"]"))
    }),
    case(" _info.select_tags", |n| {
        document(&format!("\"_info\": {{\"select_tags\": {}}}, \"services\": [{{{}}}]", words(n), service(0)))
    }),
    case(" _plugin_configs", |n| {
        document(&format!(
            "\"_plugin_configs\": {}, \"plugins\": [{{\"name\": \"cors\", \"_config\": \"c0\"}}]",
            members(n, |i| format!("\"c{i}\": {{}}"))
        ))
    }),
    case(" plugins of one _plugin_configs", |n| {
        document(&format!(
            "\"_plugin_configs\": {{\"c\": {{}}}}, \"routes\": {}",
            many(n, |i| format!(
                "{{\"name\": \"r{i}\", \"paths\": [\"/p{i}\"], \"plugins\": [{{\"name\": \"cors\", \"_config\": \"c\"}}]}}"
            ))
        ))
    }),
    case(" consumer_groups", |n| {
        document(&format!("\"consumer_groups\": {}", many(n, |i| format!("{{\"name\": \"g{i}\"}}"))))
    }),
    case(" anchors and aliases", |n| {
        format!(
            "_format_version: \"3.0\"\n_ignore:\n{}",
            (0..n).map(|i| format!("- &a{i} x\n- *a{i}\n")).collect::<Vec<_>>().concat()
        )
    }),
    case(" one alias", |n| {
        format!("_format_version: \"3.0\"\n_ignore:\n- &a {{x: 1}}\n{}", "- *a\n".repeat(n))
    }),
    case(" paths of a mock", |n| {
        mocked(&format!(
            "\"paths\": {}",
            members(n, |i| format!(
                "\"/p{i}\": {{\"get\": {{\"responses\": {{\"200\": {{\"description\": \"d\"}}}}}}}}"
            ))
        ))
    }),
    case(" templates of a mock", |n| {
        mocked(&format!(
            "\"paths\": {}",
            members(n, |i| format!(
                "\"/{{a}}/p{i}/{{b}}\": {{\"get\": {{\"responses\": {{\"200\": {{\"description\": \"d\"}}}}}}}}"
            ))
        ))
    }),
    case(" tags of a mock", |n| {
        mocked(&format!("\"paths\": {{}}, \"tags\": {}", many(n, |i| format!("{{\"name\": \"t{i}\"}}"))))
    }),
    case(" servers of a mock", |n| {
        mocked(&format!(
            "\"paths\": {{}}, \"servers\": {}",
            many(n, |i| format!("{{\"url\": \"http://a{i}.example/b{i}\"}}"))
        ))
    }),
    case(" components of a mock", |n| {
        mocked(&format!(
            "\"paths\": {{}}, \"components\": {{\"schemas\": {}}}",
            members(n, |i| format!("\"s{i}\": {{\"type\": \"string\"}}"))
        ))
    }),
    case(" parameters of an operation", |n| {
        operation(&format!(
            "{{\"parameters\": {}, \"responses\": {{\"200\": {{\"description\": \"d\"}}}}}}",
            many(n, |i| format!(
                "{{\"name\": \"p{i}\", \"in\": \"query\", \"schema\": {{\"type\": \"string\"}}}}"
            ))
        ))
    }),
    case(" responses of an operation", |n| {
        operation(&format!(
            "{{\"responses\": {}}}",
            members(n, |i| format!("\"x-{i}\": {{\"description\": \"d\"}}"))
        ))
    }),
    case(" media types of a response", |n| {
        operation(&format!(
            "{{\"responses\": {{\"200\": {{\"description\": \"d\", \"content\": {}}}}}}}",
            members(n, |i| format!("\"text/x{i}\": {{}}"))
        ))
    }),
    case(" properties of a schema", |n| {
        schema(&format!(
            "{{\"type\": \"object\", \"properties\": {}, \"required\": {}}}",
            members(n, |i| format!("\"x{i}\": {{\"type\": \"string\"}}")),
            words(n)
        ))
    }),
    case(" enum of a schema", |n| schema(&format!("{{\"enum\": {}}}", words(n)))),
    case(" oneOf of a schema", |n| {
        schema(&format!("{{\"oneOf\": {}}}", many(n, |i| format!("{{\"const\": \"x{i}\"}}"))))
    }),
    case(" examples of a response", |n| {
        operation(&format!(
            "{{\"responses\": {{\"200\": {{\"description\": \"d\", \"content\": {{\"application/json\": {{\"examples\": {}}}}}}}}}}}",
            members(n, |i| format!("\"e{i}\": {{\"value\": 1}}"))
        ))
    }),
    case(" wrong operations of a mock", |n| {
        mocked(&format!(
            "\"paths\": {}",
            members(n, |i| format!("\"/p{i}\": {{\"get\": {{\"responses\": 1}}}}"))
        ))
    }),
];
