#!/usr/bin/env bash
# Builds the files of a release for the architecture of this machine, in target/dist:
#
#   deploy/release/build.sh binary     mynah-TARGET               one static binary
#   deploy/release/build.sh archive    mynah-VERSION-TARGET.tar.gz
#   deploy/release/build.sh package    mynah_VERSION_ARCH.deb     for Debian and Ubuntu
#   deploy/release/build.sh sbom       mynah-VERSION-TARGET.cdx.json
#   deploy/release/build.sh check      nothing; fails if a file is not as it should be
#   deploy/release/build.sh checksums  SHA256SUMS                 of all files that are published
#   deploy/release/build.sh all        all of these, in this order
#
# Needs Rust with the target (`rustup target add TARGET`) and the C compiler of musl (Debian, Ubuntu: musl-tools); jq for
# `sbom`, dpkg-deb for `package`. The same commit gives the same archive and the same package.
set -euo pipefail
cd "$(dirname "$0")/../.."

case $(uname -m) in
  x86_64) target=x86_64-unknown-linux-musl deb_arch=amd64 ;;
  aarch64 | arm64) target=aarch64-unknown-linux-musl deb_arch=arm64 ;;
  *) echo "error: no release is built for $(uname -m)" >&2 && exit 1 ;;
esac
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
output=target/dist
binary=$output/mynah-$target
archive=$output/mynah-$version-$target.tar.gz
package=$output/mynah_${version}_$deb_arch.deb
sbom=$output/mynah-$version-$target.cdx.json
# The time of files in packages: that of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

fail() {
  echo "error: $*" >&2
  exit 1
}

# Fails unless an earlier step has made a file.
require() {
  [[ -e $1 ]] || fail "$1 is missing: run \`deploy/release/build.sh $2\` first"
}

build_binary() {
  mkdir -p "$output"
  cargo build --release --locked --bin mynah --target "$target"
  install -m 755 "${CARGO_TARGET_DIR:-target}/$target/release/mynah" "$binary"
}

# Copies what is installed beside the binary into a folder.
copy_documents() {
  install -m 644 README.md CHANGELOG.md LICENSE kong.yaml.example "$1"
  mkdir -p "$1/specs"
  install -m 644 specs/* "$1/specs"
}

build_archive() {
  require "$binary" binary
  local name=mynah-$version-$target staging
  staging=$(mktemp -d)
  mkdir "$staging/$name"
  install -m 755 "$binary" "$staging/$name/mynah"
  copy_documents "$staging/$name"
  tar --create --directory "$staging" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" \
    | gzip --no-name > "$archive"
  rm -r "$staging"
}

build_package() {
  require "$binary" binary
  local root
  root=$(mktemp -d)
  local documents=$root/usr/share/doc/mynah
  mkdir -p "$root/DEBIAN" "$root/usr/bin" "$documents"
  install -m 755 "$binary" "$root/usr/bin/mynah"
  copy_documents "$documents"
  mv "$documents/LICENSE" "$documents/copyright"
  gzip --no-name --best < "$documents/CHANGELOG.md" > "$documents/changelog.gz"
  rm "$documents/CHANGELOG.md"
  cat > "$root/DEBIAN/control" << EOF
Package: mynah
Version: $version
Architecture: $deb_arch
Maintainer: The mynah developers
Section: net
Priority: optional
Installed-Size: $(du --summarize --apparent-size --block-size=1024 "$root/usr" | cut -f 1)
Recommends: ca-certificates
Description: Kong-compatible API gateway without a database
 A gateway in one static binary. It runs kong.yaml files, and answers from
 OpenAPI documents what is not built yet.
EOF
  (cd "$root" && find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum > DEBIAN/md5sums)
  chmod -R u=rwX,go=rX "$root"
  dpkg-deb --root-owner-group -Zxz --build "$root" "$package"
  rm -r "$root"
}

build_sbom() {
  mkdir -p "$output"
  cargo metadata --locked --format-version 1 --filter-platform "$target" | jq --from-file deploy/release/sbom.jq > "$sbom"
}

check_files() {
  require "$binary" binary
  if readelf --program-headers "$binary" | grep -q INTERP; then
    fail "$binary is not static: it needs an interpreter"
  fi
  [[ $("$binary" --version) == "mynah $version" ]] || fail "$binary is not of version $version"
  "$binary" check kong.yaml.example
  require "$archive" archive
  require "$package" package
  require "$sbom" sbom
  local root
  root=$(mktemp -d)
  tar --extract --file "$archive" --directory "$root"
  cmp "$binary" "$root/mynah-$version-$target/mynah"
  dpkg-deb --extract "$package" "$root/package"
  cmp "$binary" "$root/package/usr/bin/mynah"
  (cd "$root/package/usr/share/doc/mynah" && "$root/package/usr/bin/mynah" check kong.yaml.example)
  [[ $(dpkg-deb --field "$package" Version) == "$version" ]]
  jq --exit-status --arg version "$version" \
    '.metadata.component.version == $version and (.components | length > 100)' "$sbom" > /dev/null
  rm -r "$root"
}

build_checksums() {
  (cd "$output" && sha256sum -- *.tar.gz *.deb *.cdx.json > SHA256SUMS)
}

case ${1:-} in
  binary) build_binary ;;
  archive) build_archive ;;
  package) build_package ;;
  sbom) build_sbom ;;
  check) check_files ;;
  checksums) build_checksums ;;
  all)
    for step in binary archive package sbom; do "build_$step"; done
    check_files
    build_checksums
    ;;
  *) fail "usage: deploy/release/build.sh binary|archive|package|sbom|check|checksums|all" ;;
esac
