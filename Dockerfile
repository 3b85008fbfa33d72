# Packages are installed in a stage of their own. The final image has no shell and no package manager.
# Its libc is Debian's: musl gives up on a name when a resolver answers AAAA with NXDOMAIN, as home routers do.
# Tests run on the same version of Node.js (test/node/package.json). A release adds the digests.
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
      org.opencontainers.image.description="Serves exactly what Immich share links share" \
      org.opencontainers.image.licenses="AGPL-3.0-only" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
WORKDIR /app
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=packages /app/node_modules node_modules
COPY package.json config.json config.schema.json LICENSE THIRD-PARTY.md ./
COPY src src
COPY templates templates
COPY static static
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 3000
# requests the address in IPP_HOST; an answer comes within 5 s, even while Immich is frozen
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s CMD ["node", "-e", "const { IPP_HOST, IPP_PORT } = process.env; const host = !IPP_HOST || ['::', '0.0.0.0'].includes(IPP_HOST) ? 'localhost' : IPP_HOST.includes(':') ? `[${IPP_HOST}]` : IPP_HOST; fetch(`http://${host}:${IPP_PORT || 3000}/healthcheck`, { signal: AbortSignal.timeout(8000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The process may read files here and in /config until it listens, and none after that. Node's permissions do not cover
# node:sqlite, which opens files by itself, so it is disabled.
ENTRYPOINT ["node", "--permission", "--no-experimental-sqlite", "--allow-fs-read=.", "--allow-fs-read=/config", "src/server.ts"]
