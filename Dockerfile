# wa-watchdog as an image of one static binary, run by nobody in particular on a file system that nobody can write to.
#
#   docker build -t wa-watchdog --build-arg REVISION="$(git rev-parse HEAD)" .
#   docker run --rm wa-watchdog --help
#
# Where the registry or the machine has Rust under another name: --build-arg RUST_IMAGE=…
ARG RUST_IMAGE=rust:1.95-bookworm

FROM ${RUST_IMAGE} AS build
# "quick" builds in half the time what runs nearly as fast.
ARG PROFILE=release
# Linked with its C library, so that the image needs none. Names are looked up all the same: by files and DNS, as the
# nsswitch.conf below says, which this C library (glibc from 2.34) can do without loading anything.
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src

# What others wrote, built before our own sources are there: a change of ours does not build it again. The empty files stand for
# what the manifest names.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/sim benches \
  && echo 'fn main() {}' > src/main.rs && cp src/main.rs tests/sim/ && cp src/main.rs benches/handle.rs \
  && touch src/lib.rs \
  && cargo build --locked --profile "$PROFILE" --target "$(rustc --print host-tuple)"

COPY askama.toml ./
COPY src src
COPY config/dialects config/dialects
ARG REVISION=unknown
# Cargo goes by the time of a change, and ours may be older than the empty files.
RUN touch src/main.rs src/lib.rs \
  && WA_WATCHDOG_REVISION="$REVISION" cargo build --locked --profile "$PROFILE" --target "$(rustc --print host-tuple)" --bin wa-watchdog

# Everything that the image holds besides: certificates, time zones for quiet hours, and a name for its user.
RUN mkdir -p /image/etc/ssl/certs /image/etc/wa-watchdog /image/usr/share /image/var/lib/wa-watchdog \
  && cp "target/$(rustc --print host-tuple)/$PROFILE/wa-watchdog" /image/wa-watchdog \
  && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
  && cp -a /usr/share/zoneinfo /image/usr/share/ \
  && rm -rf /image/usr/share/zoneinfo/posix /image/usr/share/zoneinfo/right \
  && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
  && echo 'watchdog:x:65532:65532::/var/lib/wa-watchdog:/sbin/nologin' > /image/etc/passwd \
  && echo 'watchdog:x:65532:' > /image/etc/group \
  && chown 65532:65532 /image/var/lib/wa-watchdog \
  && chmod 1777 /image/var/lib/wa-watchdog

FROM scratch
COPY --from=build /image /
COPY LICENSE /LICENSE
# On loopback nobody would reach it in a container. Orders need a token there. An empty variable leaves the word to the file.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    WA_WATCHDOG_CONFIG=/etc/wa-watchdog/watchdog.toml \
    WA_WATCHDOG__SERVER__LISTEN=0.0.0.0:9877
# The one folder that can be written to: SQLite puts its temporary files there too, because there is no /tmp.
WORKDIR /var/lib/wa-watchdog
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
VOLUME /var/lib/wa-watchdog
EXPOSE 9877
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["/wa-watchdog", "healthcheck"]
ENTRYPOINT ["/wa-watchdog"]
CMD ["run"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wa-watchdog" \
      org.opencontainers.image.description="A health watchdog for WhatsApp sessions: names the failure with evidence, and resets only when nothing gentler can help." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
