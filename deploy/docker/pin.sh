#!/usr/bin/env bash
# Prints the base images of the Dockerfile with the digests that their tags have now, as lines NAME=IMAGE@sha256:DIGEST: build
# arguments of `docker build`. Needs docker with buildx, and the network.
set -euo pipefail
cd "$(dirname "$0")/../.."

sed -n 's/^ARG \([A-Z_]*_IMAGE\)=\(.*\)$/\1 \2/p' Dockerfile | while read -r name image; do
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  [[ $digest == sha256:* ]] || { echo "error: no digest of $image" >&2 && exit 1; }
  echo "$name=$image@$digest"
done
