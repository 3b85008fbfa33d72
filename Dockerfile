# The packages are installed in a stage of their own; what runs goes into an image without shell or package manager.
# Debian's libc on purpose: musl gives up on a name where a resolver answers AAAA with NXDOMAIN, which home routers do.
# The version of Node.js is the one that package.json pins, so that tests run on what ships; a release adds the digests.
FROM node:24.21.0-bookworm-slim AS node

# plain JavaScript, the same for every architecture: installed once, on the one that builds
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY test/node test/node
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules -type f ! -name '*.min.js' ! -name index.js ! -name index.cjs ! -name package.json \
      ! -name 'LICENSE*' -delete \
 && find node_modules -type d -empty -delete

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Immich Public Proxy" \
      org.opencontainers.image.description="Shows strangers what one Immich share link shares, and nothing else" \
      org.opencontainers.image.licenses="AGPL-3.0-only" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
WORKDIR /app
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=packages /app/node_modules node_modules
COPY package.json config.json config.schema.json LICENSE ./
COPY src src
COPY templates templates
COPY static static
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 3000
# asks where IPP_HOST says that it listens; an answer comes within 5 s, also while Immich is frozen
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s CMD ["node", "-e", "const { IPP_HOST, IPP_PORT } = process.env; const host = !IPP_HOST || ['::', '0.0.0.0'].includes(IPP_HOST) ? 'localhost' : IPP_HOST.includes(':') ? `[${IPP_HOST}]` : IPP_HOST; fetch(`http://${host}:${IPP_PORT || 3000}/healthcheck`, { signal: AbortSignal.timeout(8000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# files may be read here and in /config until it listens, none after that; nothing else is permitted at all
ENTRYPOINT ["node", "--permission", "--allow-fs-read=.", "--allow-fs-read=/config", "src/server.ts"]
