# syntax=docker/dockerfile:1

# Base images by tag, so that a build without further arguments has their current security updates. Release builds pass
# NAME:TAG@sha256:DIGEST, as `deploy/docker/pin.sh` prints them: all images of a release have the same bases.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG DISTROLESS_IMAGE=gcr.io/distroless/static-debian12:nonroot
ARG DEBIAN_IMAGE=debian:bookworm-slim

# The default target is the last one: distroless, without a shell. `--target debian` has sh, bash, awk and sed.
FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY lease ./lease
COPY src ./src
COPY web ./web
COPY deploy/release ./deploy/release
# The binary of the release archives: musl is linked in, so that the images below need nothing.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
# Each architecture has a folder of its own in the cache, and only its binary is copied.
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=mynah-target-${TARGETARCH} \
    deploy/release/build.sh binary \
    && install -D "target/dist/mynah-$(uname -m)-unknown-linux-musl" /root-of-image/usr/local/bin/mynah
# The folders of the process (KONG_PREFIX), of the user and of the configuration, writable for the group 0, too: platforms
# that choose a user id of their own give it this group. /links has the names that entrypoints call.
COPY kong.yaml.example /root-of-image/kong/kong.yaml
COPY specs /root-of-image/kong/specs
RUN ln -s mynah /root-of-image/usr/local/bin/kong \
    && mkdir -p /root-of-image/usr/local/kong/pids /root-of-image/usr/local/kong/logs /root-of-image/home/kong /links/etc \
    && chown -R 65532:0 /root-of-image/usr/local/kong /root-of-image/home/kong /root-of-image/kong \
    && chmod -R g=u /root-of-image/usr/local/kong /root-of-image/home/kong /root-of-image/kong \
    && ln -s usr/local/bin/mynah /links/entrypoint.sh \
    && ln -s usr/local/bin/mynah /links/docker-entrypoint.sh \
    && printf 'root:x:0:0:root:/root:/sbin/nologin\nkong:x:65532:65532:kong:/home/kong:/sbin/nologin\n' > /links/etc/passwd \
    && printf 'root:x:0:\nkong:x:65532:\n' > /links/etc/group

FROM ${DEBIAN_IMAGE} AS debian
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mynah" \
      org.opencontainers.image.description="A Kong-compatible API gateway without a database, with a shell" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
# ca-certificates: KONG_LUA_SSL_TRUSTED_CERTIFICATE=system. curl is for health checks of compose files.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash ca-certificates curl gawk sed \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 kong \
    && useradd --uid 65532 --gid 65532 --home-dir /home/kong --no-create-home --shell /bin/bash kong
COPY --from=build /root-of-image/ /
COPY --chmod=755 deploy/docker/entrypoint.sh /entrypoint.sh
COPY --chmod=755 deploy/docker/entrypoint.sh /docker-entrypoint.sh
WORKDIR /kong
ENV KONG_DATABASE=off \
    KONG_DECLARATIVE_CONFIG=/kong/kong.yaml \
    KONG_PREFIX=/usr/local/kong \
    KONG_NGINX_DAEMON=off \
    KONG_STATUS_LISTEN=0.0.0.0:8100
USER 65532:65532
EXPOSE 8000 8443 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/mynah", "health"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["kong", "docker-start"]

FROM ${DISTROLESS_IMAGE} AS distroless
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mynah" \
      org.opencontainers.image.description="A Kong-compatible API gateway without a database" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/static-debian12:nonroot"
COPY --from=build /root-of-image/ /
COPY --from=build /links/ /
# Mount the configuration as a folder (not as a file: a mounted file never changes), with specs/ beside it.
WORKDIR /kong
# The Admin API listens on 127.0.0.1 in the container. To publish its port, set KONG_ADMIN_LISTEN=0.0.0.0:8001 and
# MYNAH_ADMIN_TOKEN.
ENV KONG_DATABASE=off \
    KONG_DECLARATIVE_CONFIG=/kong/kong.yaml \
    KONG_PREFIX=/usr/local/kong \
    KONG_NGINX_DAEMON=off \
    KONG_STATUS_LISTEN=0.0.0.0:8100
USER 65532:65532
EXPOSE 8000 8443 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/mynah", "health"]
ENTRYPOINT ["/usr/local/bin/mynah"]
CMD ["run"]
