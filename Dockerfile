# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY lease ./lease
COPY src ./src
# The C library is linked in, so that the image below needs nothing.
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin mynah --target "$(rustc --print host-tuple)" \
    && cp target/*/release/mynah /mynah

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /mynah /usr/local/bin/mynah
# Mount the configuration as a folder (not as a file: a mounted file never changes), with specs/ beside it.
WORKDIR /kong
ENV KONG_DATABASE=off \
    KONG_DECLARATIVE_CONFIG=/kong/kong.yaml \
    KONG_STATUS_LISTEN=0.0.0.0:8100
USER 65532:65532
EXPOSE 8000 8443 8100
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/mynah"]
CMD ["run"]
