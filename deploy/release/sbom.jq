# A list of components (CycloneDX 1.5) from the output of `cargo metadata`: what is compiled into the binary, with the crates
# that carry C sources (Lua, cryptography), which are dependencies of builds.
(.packages | map({key: .id, value: .}) | from_entries) as $packages
| (.resolve.nodes | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind != "dev")) | .pkg]}) | from_entries) as $needs
| (.packages[] | select(.name == "mynah" and .source == null).id) as $root
| def reached($known; $new):
    if ($new | length) == 0 then $known
    else ($known + $new) as $known | reached($known; [$new[] | $needs[.][]] | unique - $known) end;
  def reference: "pkg:cargo/\(.name)@\(.version)";
  def component($type):
    {type: $type, "bom-ref": reference, name, version, purl: reference}
    + (if .description then {description: (.description | gsub("\\s+"; " ") | sub("^ | $"; ""; "g"))} else {} end)
    + (if .license then {licenses: [{expression: (.license | gsub("/"; " OR "))}]} else {} end)
    + (if .repository then {externalReferences: [{type: "vcs", url: .repository}]} else {} end);
  reached([]; [$root]) as $all
| {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {component: ($packages[$root] | component("application"))},
    components: [($all - [$root])[] | $packages[.] | component("library")],
    dependencies: [$all[] | {ref: ($packages[.] | reference), dependsOn: ([$needs[.][] | $packages[.] | reference] | unique)}]
  }
