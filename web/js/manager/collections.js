// The collections of entities: words, icons, columns, and the collections below an entity.
export const COLLECTIONS = {
  services: {
    title: "Services", word: "service", icon: "server", about: "What stands behind the routes.",
    columns: ["name", "protocol", "host", "port", "path", "tags"],
  },
  routes: {
    title: "Routes", word: "route", icon: "route",
    about: "Which requests are taken, by host, path, method or header, and where they go.",
    columns: ["name", "methods", "hosts", "paths", "service", "tags"],
  },
  plugins: {
    title: "Plugins", word: "plugin", icon: "puzzle", about: "What is done to a request on its way, in the order of the list.",
    columns: ["name", "scope", "enabled", "tags"],
  },
  consumers: {
    title: "Consumers", word: "consumer", icon: "users", about: "Who may call, and with which credentials.",
    columns: ["username", "custom_id", "tags"],
    children: [
      { path: "key-auth", schema: "keyauth_credentials", title: "Keys", columns: ["key", "tags"] },
      { path: "basic-auth", schema: "basicauth_credentials", title: "Names and passwords", columns: ["username", "tags"] },
      { path: "jwt", schema: "jwt_secrets", title: "JWT credentials", columns: ["key", "algorithm", "tags"] },
      { path: "acls", schema: "acls", title: "Groups", columns: ["group", "tags"] },
    ],
  },
  upstreams: {
    title: "Upstreams", word: "upstream", icon: "network", about: "Names behind which several targets share the requests.",
    columns: ["name", "algorithm", "hash_on", "tags"],
    children: [{ path: "targets", schema: "targets", title: "Targets", columns: ["target", "weight", "health", "tags"] }],
  },
  certificates: {
    title: "Certificates", word: "certificate", icon: "badge-check", about: "What TLS listeners present.",
    columns: ["id", "snis", "tags"],
  },
  snis: {
    title: "SNIs", word: "SNI", icon: "globe", about: "Which certificate is presented for which name.",
    columns: ["name", "certificate", "tags"],
  },
  ca_certificates: {
    title: "CA certificates", word: "CA certificate", icon: "lock",
    about: "Authorities that upstreams and clients are checked against.", columns: ["id", "tags"],
  },
  vaults: {
    title: "Vaults", word: "vault", icon: "key-round", about: "Where secrets come from.", columns: ["prefix", "name", "tags"],
  },
};

/** The name of an entity for people. */
export const entityName = (entity) =>
  entity.instance_name || entity.name || entity.username || entity.prefix || entity.target || entity.custom_id || entity.id.slice(0, 8);

/** The scope of a plugin: `[collection, id]`, or none if it is for all requests. */
export function pluginScope(plugin) {
  for (const [field, collection] of [["route", "routes"], ["service", "services"], ["consumer", "consumers"]]) {
    if (plugin[field]) return [collection, plugin[field].id];
  }
  return null;
}
